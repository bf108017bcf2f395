"""Study ``adapters``: what adapters gain by kind, sites and size, for their parameters and bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from adair.adapters import BUDGET as LINE
from adair.adapters import AdaptedModel, file_bytes
from adair.adapters.kinds import empty_adapter
from adair.backbones import build_backbone
from adair.studies.arms import adapted, fine_tuned, foundation, given_facts, scratch
from adair.studies.budget import Budget, Shape
from adair.studies.networks import Adapted, Model, Network, Part, fill
from adair.studies.page import Page, table
from adair.studies.plots import scatter
from adair.studies.scores import Scores, protocol
from adair.studies.study import Method, Results, Study, mean, method, on_validation, psnrs, rate_facts, samples
from adair.studies.tasks import ALL_TESTS, Task
from adair.studies.verdict import Verdict, compare
from adair.studies.workspace import Job, Result, Workspace

FORMS = ("fp32", "fp16", "bf16", "int8")
_PLAIN = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Stored(Network):
    """An adapter as read from a file with another number format. Nothing is trained.

    Attributes:
        network: the adapter.
        form: one of `FORMS`.
    """

    network: Adapted
    form: str

    @property
    def title(self) -> str:
        return f"{self.form} of {self.network.title}"

    @property
    def shape(self) -> Shape:
        return self.network.shape

    def work(self, workspace: Workspace) -> Result:
        """Measure the file. Figures: its bytes."""
        data = packed(self.network.tensors(workspace), self.form)
        return Result({"bytes": len(safetensors.torch.save(data))}, {})

    def load(self, workspace: Workspace) -> Model:
        model = self.network.build(workspace)
        fill(model, unpacked(packed(self.network.tensors(workspace), self.form)), torch.float32)
        assert isinstance(model.module, AdaptedModel)
        model.module.merge()
        return model

    def workload(self) -> tuple[str, float]:
        return "store", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def packed(tensors: dict[str, Tensor], form: str) -> dict[str, Tensor]:
    """Return ``tensors`` as a file in ``form`` stores them.

    int8 stores each row of a matrix as integers from -127 to 127 with a scale in fp32. Vectors, which are small, stay
    in fp16.
    """
    if form != "int8":
        return {name: tensor.to("cpu", _PLAIN[form]).contiguous() for name, tensor in tensors.items()}
    found = {}
    for name, tensor in tensors.items():
        if tensor.squeeze().ndim < 2:
            found[name] = tensor.to("cpu", torch.float16).contiguous()
            continue
        rows = tensor.flatten(1)
        step = (rows.abs().amax(1) / 127).clamp_min(1e-12)
        found[name] = (rows / step[:, None]).round().clamp(-127, 127).to(torch.int8).view(tensor.shape)
        found[f"{name}.step"] = step
    return found


def unpacked(data: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that were given to `packed`, with the loss of the format, in float32."""
    found = {}
    for name, tensor in data.items():
        if tensor.dtype == torch.int8:
            found[name] = (tensor.flatten(1).float() * data[f"{name}.step"][:, None]).view(tensor.shape)
        elif name.removesuffix(".step") == name or name.removesuffix(".step") not in data:
            found[name] = tensor.float()
    return found


SMALL_SHARE = 0.08  # of the network's parameters: the share of the paper's adapters, according to its summaries
NEAR = 0.1  # dB within which results count as equal
FROZEN, TUNED, SCRATCH = "foundation, frozen", "full fine-tuning", "own network, from scratch"


@dataclass(frozen=True)
class Variant:
    """An adapter to compare: its family, its size, and its settings."""

    family: str
    size: str
    kind: str
    options: tuple[tuple[str, Any], ...]
    part: Part = "all"

    @property
    def name(self) -> str:
        return f"{self.family}, {self.size}" if self.size else self.family

    def on(self, budget: Budget, seed: int, task: Task) -> Adapted:
        """Return the job that trains it for a task."""
        return adapted(budget, task.recipes, seed, kind=self.kind, part=self.part, **dict(self.options))


def merge(rank: int, full: int = 0) -> Variant:
    """Low-rank changes of dense weights of more than ``full`` values, full changes of all other weights."""
    if full:
        return Variant("merge, as shipped", f"rank {rank}, full {full}", "merge", (("full", full), ("rank", rank)))
    return Variant("merge", f"rank {rank}", "merge", (("rank", rank),))


def usual(budget: Budget) -> Variant:
    """The adapter that stands for AdaIR."""
    return merge(budget.rank, budget.full)


def lora(rank: int) -> Variant:
    """Low-rank changes alone."""
    return Variant("low-rank alone (LoRA)", f"rank {rank}", "merge", (("rank", rank),), "low-rank")


VECTORS = Variant("norms, biases, scales alone", "", "merge", (("rank", 1),), "vectors")


def conv(sites: str, reduction: int) -> Variant:
    """Small convolutional branches."""
    options = (("reduction", reduction), ("sites", sites))
    return Variant(f"conv, {sites} site{'s' if sites == 'both' else ''}", f"1/{reduction}", "conv", options)


def variants(budget: Budget) -> list[Variant]:
    """All variants; conv at both sites with 1/8 and at one site with 1/4 are about equally large."""
    ranks = sorted({budget.rank // 2 or 1, budget.rank, 4 * budget.rank})
    convs = [conv("both", 8), conv("both", 2), conv("first", 4), conv("second", 4)]
    shipped = [usual(budget)] if budget.full else []
    return [*shipped, *map(merge, ranks), *map(lora, ranks[-2:]), VECTORS, *convs]


def storage(budget: Budget) -> list[Variant]:
    """The variants that are also stored in other number formats: one that merges, one that does not."""
    return [usual(budget), conv("both", 8)]


def trained(budget: Budget, seed: int) -> dict[str, Method]:
    """All trained methods, by name."""
    found = [
        method(budget, seed, FROZEN, lambda seed, task: foundation(budget, seed), tune=False),
        *(method(budget, seed, one.name, partial(one.on, budget)) for one in variants(budget)),
        method(budget, seed, TUNED, lambda seed, task: fine_tuned(budget, task.recipes, seed)),
        method(budget, seed, SCRATCH, lambda seed, task: scratch(budget, task.recipes, seed)),
    ]
    return {one.name: one for one in found}


def stored(rival: Method, form: str) -> Method:
    """Return trained adapters as read from files with another number format."""

    def again(scores: Scores) -> Scores:
        assert isinstance(scores.network, Adapted)
        return replace(scores, network=Stored(scores.network, form))

    seeds = ({task: again(scores) for task, scores in seed.items()} for seed in rival.scores)
    return Method(f"{rival.name}, {form}", tuple(seeds))


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    rivals = trained(budget, seed)
    tested = [*rivals.values()]
    tested += [stored(rivals[variant.name], form) for variant in storage(budget) for form in FORMS]
    tested += [on_validation(budget, rivals[variant.name]) for variant in variants(budget)]
    return [scores for one in tested for scores in one.jobs]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget = results.budget
    rivals = trained(budget, seed)
    whole = results[foundation(budget, seed)].figures
    sizes = {one.name: results[rivals[one.name].networks()[0]].figures for one in variants(budget)}
    nothing = {"parameters": 0, "bytes": 0}
    rows: list[list[object]] = []
    for name, rival in rivals.items():
        size = sizes.get(name, whole if name in (TUNED, SCRATCH) else nothing)
        share = f"{100 * size['parameters'] / whole['parameters']:.1f} %"
        figures = [*psnrs(results, rival), mean(results, rival)]
        rows.append([name, size["parameters"], share, size["bytes"], *figures])
    points: dict[str, list[tuple[float, float]]] = {}
    for one in variants(budget):
        place = sizes[one.name]["bytes"] / 1000, mean(results, rivals[one.name])
        points.setdefault(one.family, []).append(place)
    formats: list[list[object]] = []
    for variant in storage(budget):
        for form in FORMS:
            one_form = stored(rivals[variant.name], form)
            file = results[one_form.networks()[0]].figures["bytes"]
            formats.append([variant.name, form, file, f"{mean(results, one_form):.3f}"])
    names = [test.name for test in ALL_TESTS]
    return Page(
        "Adapters: kind, sites, size, storage",
        "What does an adapter gain for its parameters and its bytes? Which kind, at which sites, how large, and in "
        "which number format? Where does the line of 1.9 MB fall?",
        [
            "PSNR in dB; every adapter learns the easy and the hard half of its task together.\n\n"
            + table(("network", "parameters", "share", "bytes, fp16", *names, "mean"), rows),
            scatter(
                "size",
                "Mean PSNR of all tests against the bytes of an adapter; the sizes of a family are joined.",
                points,
                ("kB of an adapter's file (fp16)", "mean PSNR in dB"),
                {name: mean(results, rivals[name]) for name in (FROZEN, TUNED, SCRATCH)},
            ),
            "### Number formats\n\nBytes of one adapter, and the mean PSNR of all tests.\n\n"
            + table(("adapter", "format", "bytes", "mean"), formats),
            "### Where the line of 1.9 MB falls\n\nCounted, not trained: the same kinds on networks of full size.\n\n"
            + table(("network", "adapter", "parameters", "bytes, fp16", "bytes, int8", "under 1.9 MB"), the_line()),
        ],
        verdicts(results, rivals, sizes, whole["parameters"]),
        [
            *protocol(results.workspace, ALL_TESTS, budget.images, budget.crop),
            "One foundation; all adapters see the same patches in the same order.",
            *given_facts(budget),
            *rate_facts(results, rivals.values()),
            "The best adapter of a claim is chosen on the same photos as the rates, and not on the tests.",
        ],
    )


def verdicts(
    results: Results, rivals: dict[str, Method], sizes: dict[str, dict[str, Any]], whole: int
) -> list[Verdict]:
    """Return the verdict on each claim."""
    budget, shipped = results.budget, rivals[usual(results.budget).name]
    small = [name for name, size in sizes.items() if size["parameters"] <= SMALL_SHARE * whole] or list(sizes)
    best = max(small, key=lambda name: mean(results, on_validation(budget, rivals[name])))

    def judged(claim: str, ours: Method, theirs: Method, margin: float = 0.0, retrained: bool = True) -> Verdict:
        ours_theirs = samples(results, ours), samples(results, theirs)
        return compare(claim, *ours_theirs, margin, budget.meaningless, retrained)

    return [
        judged(
            f"The best adapter of at most {SMALL_SHARE:.0%} of the parameters ({best}) comes within {NEAR} dB of full "
            "fine-tuning",
            *(rivals[best], rivals[TUNED], -NEAR),
        ),
        judged(f"It beats the frozen foundation ({best})", rivals[best], rivals[FROZEN]),
        judged(f"It beats networks of their own at equal steps ({best})", rivals[best], rivals[SCRATCH]),
        judged(
            "A convolutional adapter beats LoRA alone of about its size",
            *(rivals[conv("both", 8).name], rivals[lora(budget.rank).name]),
        ),
        judged(
            f"Stored as int8, {shipped.name} loses at most {NEAR / 2} dB",
            *(stored(shipped, "int8"), stored(shipped, "fp32"), -NEAR / 2, False),
        ),
    ]


def the_line(sizes: Sequence[int] = (2, 4, 8, 16, 32)) -> list[list[object]]:
    """Parameters and bytes of adapters on the bundled network and on the published Restormer."""
    found: list[list[object]] = []
    for label, backbone in (("nafnet, width 32 (bundled)", "nafnet"), ("restormer, width 48 (published)", "restormer")):
        with torch.device("meta"):
            model = build_backbone(backbone)
        for kind, option in (("merge", "rank"), ("conv", "reduction")):
            for value in sizes:
                adapter = empty_adapter(kind, model, {option: value})
                parameters = sum(tensor.numel() for tensor in adapter.state_dict().values())
                half, byte = file_bytes(adapter), file_bytes(adapter, 1)
                under = "yes" if half <= LINE else "as int8" if byte <= LINE else "no"
                found.append([label, f"{kind}, {option} {value}", parameters, half, byte, under])
    return found


STUDY = Study("adapters", "Kinds, sites and sizes of adapters: PSNR against parameters and bytes.", jobs, page)
