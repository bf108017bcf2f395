"""Budgets: how large the networks of a study are, how long they train, and how many images test them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import torch

from adair.adapters import options_within
from adair.backbones.registry import BACKBONES, NAFNetConfig, RestormerConfig
from adair.errors import AdairError
from adair.tasks import LABORATORY
from adair.weights import Foundation, load_foundation

Shape = NAFNetConfig | RestormerConfig
BUNDLED = "bundled"  # the budget whose foundation is the one that ships, or any other file


@dataclass(frozen=True)
class Budget:
    """The size of a study. Everything else is the same at every budget.

    Attributes:
        name: its name on the command line.
        shape: the network of all strategies.
        pretrain_steps: steps of pre-training a foundation.
        steps: steps of a network or adapter for one task; networks for several tasks get this many for each of them.
        batch: patches per step, a multiple of 8 (the recipes of the largest mixture share a batch evenly).
        patch: side of a patch in pixels.
        rate: highest learning rate of networks from scratch, foundations included.
        rate_on: highest learning rate of adapters and of fine-tuning, which start from a foundation.
        images: test images per setting.
        crop: side of the centre of a test image that is restored and scored, a multiple of 12 (and of all scales).
        held_out: photos that are never trained on; they are the test images if no test sets are given.
        validation: photos that are neither trained on nor tested: learning rates and adapters are chosen on them; 0: a
            smoke test, which chooses on the test images.
        rates: factors of the learning rates among which each method's is chosen; fewer than two: none is chosen.
        rank: rank of the adapter that represents AdaIR: the largest power of 2 with less than 8 % of the parameters.
        pairs: numbers of pairs from which networks learn a new degradation (study ``unseen``).
        pair_steps: steps of each of these networks.
        lengths: numbers of steps that study ``curves`` compares, the smallest first.
        scheme_pretraining, scheme_steps: steps of each foundation of study ``schemes``, and of each adapter on it;
            networks from scratch take as many as both together.
        backbones: a Restormer, a NAFNet with about as many parameters, and one that takes about as many seconds if its
            width is `equal_width`.
        baseline: depth of Restormer and PromptIR (study ``baselines``); their widths follow from the parameters of
            ``shape``.
        full: weights of at most so many values get full changes from that adapter (see `MergeAdapter`).
        foundation: fingerprint of a foundation that is given; empty: each study pre-trains its foundations.
        pretraining: the recipe that it was pre-trained on, as its card says.
        equal_width: the width that `EqualPace` has measured; 0: not yet.
        seeds: number of seeds for networks that decide a claim; the spread between them enters the verdict.
        meaningless: whether it is only a smoke test.
    """

    name: str
    shape: NAFNetConfig
    pretrain_steps: int
    steps: int
    batch: int
    patch: int
    rate: float
    rate_on: float
    images: int
    crop: int
    held_out: int
    validation: int
    rates: tuple[float, ...]
    rank: int
    pairs: tuple[int, ...]
    pair_steps: int
    lengths: tuple[int, ...]
    scheme_pretraining: int
    scheme_steps: int
    backbones: tuple[RestormerConfig, NAFNetConfig, NAFNetConfig]
    baseline: RestormerConfig
    full: int = 0
    foundation: str = ""
    pretraining: str = LABORATORY
    equal_width: int = 0
    seeds: int = 3
    meaningless: bool = False

    @property
    def adapter(self) -> dict[str, int]:
        """The options of the adapter that stands for AdaIR."""
        return {"rank": self.rank, "full": self.full} if self.full else {"rank": self.rank}


_TINY = Budget(
    "tiny",
    NAFNetConfig(width=8, encoder=(1, 1), middle=1, decoder=(1, 1)),
    pretrain_steps=3,
    steps=2,
    batch=8,
    patch=16,
    rate=5e-3,
    rate_on=5e-3,
    images=2,
    crop=48,
    held_out=1,
    validation=0,
    rates=(),
    rank=1,
    pairs=(1, 2),
    pair_steps=2,
    lengths=(1, 2),
    scheme_pretraining=2,
    scheme_steps=1,
    backbones=(
        RestormerConfig(width=4, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1)),
        NAFNetConfig(width=8, encoder=(1, 1), middle=1, decoder=(1, 1)),
        NAFNetConfig(width=8, encoder=(1, 1, 1), middle=1, decoder=(1, 1, 1)),
    ),
    baseline=RestormerConfig(width=2, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1)),
    seeds=1,
    meaningless=True,
)
_CPU = Budget(
    "cpu",
    NAFNetConfig(width=16, encoder=(1, 1, 1, 2), middle=1, decoder=(1, 1, 1, 1)),
    pretrain_steps=1600,
    steps=400,
    batch=8,
    patch=64,
    rate=5e-3,
    rate_on=5e-3,
    images=24,
    crop=192,
    held_out=24,
    validation=8,
    rates=(0.5, 1.0, 2.0),
    rank=4,
    pairs=(1, 4, 16, 64),
    pair_steps=200,
    lengths=(400, 800, 1600, 3200),
    scheme_pretraining=4000,
    scheme_steps=400,
    backbones=(
        RestormerConfig(width=8, blocks=(1, 1, 1, 2), refinement=0, heads=(1, 1, 2, 4)),
        NAFNetConfig(width=12, encoder=(1, 1, 2), middle=2, decoder=(1, 1, 1)),
        NAFNetConfig(width=32, encoder=(1, 1, 1, 2), middle=1, decoder=(1, 1, 1, 1)),
    ),
    baseline=RestormerConfig(width=16, blocks=(1, 2, 2, 3), refinement=1),
)
_GPU = Budget(
    "gpu",
    NAFNetConfig(),
    pretrain_steps=40_000,
    steps=10_000,
    batch=32,
    patch=128,
    rate=2e-3,
    rate_on=2e-3,
    images=48,
    crop=240,
    held_out=24,
    validation=8,
    rates=(0.5, 1.0, 2.0),
    rank=8,
    pairs=(1, 4, 16, 64),
    pair_steps=5000,
    lengths=(2500, 5000, 10_000, 20_000),
    scheme_pretraining=40_000,
    scheme_steps=4000,
    backbones=(
        RestormerConfig(),
        NAFNetConfig(width=56),
        NAFNetConfig(width=64, encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2)),
    ),
    baseline=RestormerConfig(),
)
_GIVEN = replace(
    _CPU,
    name=BUNDLED,
    shape=NAFNetConfig(width=32, encoder=(1, 2, 2, 6), middle=2, decoder=(1, 1, 2, 2)),
    pretrain_steps=49_157,
    rate=2e-3,
    rate_on=5e-4,
    rates=(0.3, 1.0, 3.0),  # wide: in short trainings 1e-3 harms what the foundation can do more than 3e-4
    rank=12,
    full=16_384,
    lengths=(100, 200, 400, 800),
    foundation=BUNDLED,
)
BUDGETS = {budget.name: budget for budget in (_TINY, _CPU, _GIVEN, _GPU)}


def sized(budget: Budget, steps: int | None = None, images: int | None = None, seeds: int | None = None) -> Budget:
    """Return a smaller or larger study of the same kind; None: as it is.

    Args:
        budget: what is changed.
        steps: of a network for one task. All other lengths change in proportion, except that of a given foundation.
        images: test images per setting.
        seeds: number of seeds.
    """
    factor = (steps or budget.steps) / budget.steps

    def scaled(count: int) -> int:
        return max(1, round(count * factor))

    lengths: list[int] = []
    for count in budget.lengths:  # rounding must not make two of them one
        lengths.append(max([scaled(count), *(length + 1 for length in lengths[-1:])]))
    return replace(
        budget,
        steps=steps or budget.steps,
        pretrain_steps=budget.pretrain_steps if budget.foundation else scaled(budget.pretrain_steps),
        pair_steps=scaled(budget.pair_steps),
        lengths=tuple(lengths),
        scheme_pretraining=scaled(budget.scheme_pretraining),
        scheme_steps=scaled(budget.scheme_steps),
        images=images or budget.images,
        seeds=seeds or budget.seeds,
    )


@cache
def parameters_of(shape: Shape) -> int:
    """Return the number of parameters of a backbone."""
    entry = next(entry for entry in BACKBONES.values() if isinstance(shape, entry.config))
    with torch.device("meta"):
        model = entry.network(**asdict(shape))
    return sum(parameter.numel() for parameter in model.parameters())


def find_budget(name: str, file: Path | None = None) -> Budget:
    """Return the budget of that name.

    Args:
        name: one of `BUDGETS`.
        file: a foundation for all networks of the study to begin from; None: what the budget says.

    Raises:
        AdairError: an unknown name, or a file that cannot be used.
    """
    if name not in BUDGETS:
        raise AdairError(f"--budget {name}: choose one of {', '.join(BUDGETS)}")
    budget = BUDGETS[name]
    return standing_on(budget, load_foundation(file), str(file)) if file or budget.foundation else budget


def standing_on(budget: Budget, found: Foundation, name: str = "the bundled foundation") -> Budget:
    """Return ``budget`` with a foundation that is given and, as AdaIR's, the adapter that `adapt` would train on it.

    Raises:
        AdairError: a network that the strategies of the studies do not have.
    """
    shape = BACKBONES[found.backbone].config(**found.config)
    if not isinstance(shape, NAFNetConfig):
        raise AdairError(f"{name}: is a {found.backbone}; studies build on nafnet foundations")
    options = {"full": 0, **options_within("merge", found.model)} if budget.name == BUNDLED else {"rank": budget.rank}
    steps = found.card.get("training", {}).get("steps", 0)
    recipe = str(found.card.get("recipe", ""))
    return replace(
        budget, shape=shape, foundation=found.fingerprint, pretraining=recipe, pretrain_steps=steps, **options
    )
