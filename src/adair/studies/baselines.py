"""Study ``baselines``: Restormer's own network and PromptIR, made small, for one task and for all, against adapters."""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch

from adair.backbones.registry import RestormerConfig
from adair.backbones.restormer import Restormer
from adair.studies.arms import adapted, course, foundation, given_facts, suited
from adair.studies.budget import Budget, parameters_of
from adair.studies.networks import Network, Trained, Whole, backbone_text
from adair.studies.page import Page, table
from adair.studies.plots import bars
from adair.studies.prompts import Prompted, add_prompts
from adair.studies.scores import protocol
from adair.studies.strategies import NEAR
from adair.studies.study import Method, Results, Study, mean, method, psnrs, rate_facts, samples
from adair.studies.tasks import ALL_RECIPES, ALL_TESTS, HARD_TESTS, TASKS, Task
from adair.studies.verdict import Verdict, compare
from adair.studies.workspace import Job

FROZEN, ADAIR = "foundation, frozen", "AdaIR"
RESTORMER, PROMPTIR = "Restormer, a network for each task", "PromptIR, a network for each task"
RESTORMER_ALL, PROMPTIR_ALL = "Restormer, all-in-one", "PromptIR, all-in-one"
# The class of the network, and whether one learns all tasks.
NETWORKS: dict[str, tuple[type[Whole] | type[Prompted], bool]] = {
    RESTORMER: (Whole, False),
    PROMPTIR: (Prompted, False),
    RESTORMER_ALL: (Whole, True),
    PROMPTIR_ALL: (Prompted, True),
}


@cache
def scaled(depth: RestormerConfig, parameters: int, prompts: bool) -> RestormerConfig:
    """Return ``depth`` in the even width with which it has the closest number of parameters, with or without prompts.

    >>> scaled(RestormerConfig(), 26_126_644, prompts=False).width
    48
    """
    widths = range(2, 514, 2)
    forms = [replace(depth, width=width) for width in widths]
    above = bisect_left(forms, parameters, key=lambda form: size(form, prompts))
    return min(forms[max(0, above - 1) : above + 1], key=lambda form: abs(size(form, prompts) - parameters))


@cache
def size(form: RestormerConfig, prompts: bool) -> int:
    """Return the number of parameters of a Restormer, with or without the prompts of PromptIR."""
    with torch.device("meta"):
        model = Restormer(**dataclasses.asdict(form))
        if prompts:
            add_prompts(model, form)
    return sum(parameter.numel() for parameter in model.parameters())


def shape(budget: Budget, prompts: bool = False) -> RestormerConfig:
    """Return the Restormer, or PromptIR's, with about as many parameters as the network of the other studies."""
    return scaled(budget.baseline, parameters_of(budget.shape), prompts)


def own(budget: Budget, seed: int, name: str, recipes: Sequence[str]) -> Trained:
    """Return one of `NETWORKS`, trained from scratch on a task's recipes, or on those of all tasks together."""
    network, for_all = NETWORKS[name]
    form = shape(budget, prompts=network is Prompted)
    learnt = ALL_RECIPES if for_all else recipes
    return network(course(suited(budget, form), learnt, seed, times=len(TASKS) if for_all else 1), form)


def base(budget: Budget, seed: int) -> Network:
    """Return the foundation: a Restormer, as in the paper, or the one that is given."""
    if budget.foundation:
        return foundation(budget, seed)
    form = shape(budget)
    return foundation(suited(budget, form), seed, form=form)


def methods(budget: Budget, seed: int) -> dict[str, Method]:
    """Return all that is compared, by name."""
    found = [method(budget, seed, "input", lambda seed, task: None)]
    for name in NETWORKS:

        def network(seed: int, task: Task, name: str = name) -> Trained:
            return own(budget, seed, name, task.recipes)

        found.append(method(budget, seed, name, network))
    found += [
        method(budget, seed, FROZEN, lambda seed, task: base(budget, seed), tune=False),
        method(budget, seed, ADAIR, lambda seed, task: adapted(budget, task.recipes, seed, base(budget, seed))),
    ]
    return {one.name: one for one in found}


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    return [scores for one in methods(budget, seed).values() for scores in one.jobs]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget, rivals = results.budget, methods(results.budget, seed)
    quality, costs = [], []
    for name, rival in rivals.items():
        quality.append([name, *psnrs(results, rival), mean(results, rival, HARD_TESTS), mean(results, rival)])
        networks = rival.networks()
        if networks:
            figures = [results[one] for one in networks]
            costs.append(
                [
                    name,
                    len(networks),
                    sum(one.figures["parameters"] for one in figures),
                    f"{sum(one.costs['seconds'] for one in figures):.0f}",
                ]
            )
    return Page(
        "Baselines: Restormer and PromptIR, made small",
        "Do adapters on one foundation equal or beat the networks that the paper compares with: a Restormer for each "
        "task, one for all tasks, and PromptIR?",
        [
            "PSNR in dB.\n\n" + table(("network", *(test.name for test in ALL_TESTS), "hard", "mean"), quality),
            bars(
                "hard",
                "Mean PSNR of the four hard halves.",
                {name: mean(results, rival, HARD_TESTS) for name, rival in rivals.items()},
                [ADAIR],
                "mean PSNR in dB",
            ),
            "### What each trains\n\nFor all four tasks, with the first seed. AdaIR also needs the foundation.\n\n"
            + table(("network", "networks", "trained parameters", "training s"), costs),
        ],
        verdicts(results, rivals),
        [
            *protocol(results.workspace, ALL_TESTS, budget.images, budget.crop),
            f"Each network has about as many parameters as that of the other studies, {parameters_of(budget.shape):,}: "
            + "; ".join(
                f"{name} {size(shape(budget, prompts), prompts):,} ({shape(budget, prompts)})"
                for name, prompts in (("Restormer", False), ("PromptIR", True))
            )
            + ".",
            f"{budget.steps} steps for each task, {len(TASKS) * budget.steps} where one network learns all. The papers "
            "train far longer, with progressively larger patches; their networks have 26 and 36 million parameters.",
            f"AdaIR's foundation: {backbone_text(base(budget, seed).shape)}, {budget.pretrain_steps} steps.",
            *rate_facts(results, rivals.values()),
            *given_facts(budget),
        ],
    )


def verdicts(results: Results, rivals: dict[str, Method]) -> list[Verdict]:
    """Return the verdict on each claim."""

    def judged(claim: str, ours: str, theirs: str, margin: float = 0.0) -> Verdict:
        first, second = (samples(results, rivals[name]) for name in (ours, theirs))
        return compare(claim, first, second, margin, results.budget.meaningless)

    return [
        judged(f"AdaIR is at most {NEAR} dB worse than a Restormer for each task", ADAIR, RESTORMER, -NEAR),
        judged(f"AdaIR is at most {NEAR} dB worse than a PromptIR for each task", ADAIR, PROMPTIR, -NEAR),
        judged("AdaIR beats one Restormer for all tasks", ADAIR, RESTORMER_ALL),
        judged("AdaIR beats one PromptIR for all tasks", ADAIR, PROMPTIR_ALL),
        judged("Prompts help one network for all tasks: PromptIR beats Restormer", PROMPTIR_ALL, RESTORMER_ALL),
    ]


STUDY = Study("baselines", "Small Restormers and PromptIRs, for one task and for all, against adapters.", jobs, page)
