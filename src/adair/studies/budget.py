"""Budgets: how large the networks of a study are, how long they train, and how many images test them."""

from __future__ import annotations

from dataclasses import dataclass

from adair.backbones.registry import NAFNetConfig, RestormerConfig
from adair.errors import AdairError

Shape = NAFNetConfig | RestormerConfig


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
        rank: rank of the adapter that represents AdaIR: the largest power of 2 with less than 8 % of the parameters.
        pairs: numbers of pairs from which networks learn a new degradation (study ``unseen``).
        pair_steps: steps of each of these networks.
        scheme_steps: steps of each adapter of study ``schemes``; its foundation gets the rest of ``steps``, so that
            both together take as many as a network from scratch.
        backbones: a Restormer, a NAFNet with about as many parameters, and one that takes about as many seconds.
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
    rank: int
    pairs: tuple[int, ...]
    pair_steps: int
    scheme_steps: int
    backbones: tuple[Shape, Shape, Shape]
    seeds: int = 3
    meaningless: bool = False


BUDGETS = {
    budget.name: budget
    for budget in (
        Budget(
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
            rank=1,
            pairs=(1, 2),
            pair_steps=2,
            scheme_steps=1,
            backbones=(
                RestormerConfig(width=4, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1)),
                NAFNetConfig(width=8, encoder=(1, 1), middle=1, decoder=(1, 1)),
                NAFNetConfig(width=8, encoder=(1, 1, 1), middle=1, decoder=(1, 1, 1)),
            ),
            seeds=1,
            meaningless=True,
        ),
        Budget(
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
            rank=4,
            pairs=(1, 4, 16, 64),
            pair_steps=200,
            scheme_steps=130,
            backbones=(
                RestormerConfig(width=8, blocks=(1, 1, 1, 2), refinement=0, heads=(1, 1, 2, 4)),
                NAFNetConfig(width=12, encoder=(1, 1, 2), middle=2, decoder=(1, 1, 1)),
                NAFNetConfig(width=32, encoder=(1, 1, 1, 2), middle=1, decoder=(1, 1, 1, 1)),
            ),
        ),
        Budget(
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
            rank=8,
            pairs=(1, 4, 16, 64),
            pair_steps=5000,
            scheme_steps=2500,
            backbones=(
                RestormerConfig(),
                NAFNetConfig(width=56),
                NAFNetConfig(width=64, encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2)),
            ),
        ),
    )
}


def find_budget(name: str) -> Budget:
    """Return the budget of that name.

    Raises:
        AdairError: an unknown name.
    """
    if name not in BUDGETS:
        raise AdairError(f"--budget {name}: choose one of {', '.join(BUDGETS)}")
    return BUDGETS[name]
