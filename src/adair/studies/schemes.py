"""Study ``schemes``: what to pre-train a foundation on, so that its adapters restore given tasks well."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from adair.adapters import AdaptedModel
from adair.studies.arms import adapted, foundation, scratch
from adair.studies.budget import Budget
from adair.studies.networks import Adapted, Whole
from adair.studies.page import Page, table
from adair.studies.plots import heat_map
from adair.studies.scores import protocol
from adair.studies.study import Method, Results, Study, mean, method, psnrs, samples
from adair.studies.tasks import ALL_TESTS, HARD_TESTS, TASKS, Task
from adair.studies.verdict import Samples, Verdict, compare
from adair.studies.workspace import Job, Result, Workspace


@dataclasses.dataclass(frozen=True)
class Similarity(Job):
    """Cosines between the weight changes of merge adapters on one foundation.

    Adapters of the same seed start from the same random ``down`` matrices, so their low-rank changes lie in the same
    subspace; those of different seeds would be almost orthogonal whatever they learnt.

    Figures: "cosines", a row for each adapter: 1 is the same direction, 0 nothing in common, -1 the opposite.

    Attributes:
        networks: the adapters.
    """

    networks: tuple[Adapted, ...]

    @property
    def title(self) -> str:
        return f"similarity of {len(self.networks)} adapters"

    def work(self, workspace: Workspace) -> Result:
        changes = torch.stack([change(network, workspace) for network in self.networks])
        directions = changes / changes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return Result(
            {"cosines": [[round(value, 6) for value in row] for row in (directions @ directions.T).tolist()]}, {}
        )

    def workload(self) -> tuple[str, float]:
        return "similarity", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def change(network: Adapted, workspace: Workspace) -> Tensor:
    """Return everything that an adapter adds to the weights of its foundation, as one vector."""
    model = network.load(workspace).module
    assert isinstance(model, AdaptedModel)
    (adapter,) = model.attached
    with torch.no_grad():
        deltas = [
            delta.added_to(torch.zeros(delta.shape, device=workspace.device), 1.0)
            for delta in adapter.deltas().values()
        ]
    return torch.cat([delta.flatten() for delta in deltas])


NEAR = 0.1  # dB within which results count as equal
# For budgets at which pre-training does not pay.
WORSE = (
    "Below zero, the steps were too few to be divided between a foundation and adapters: the table ranks schemes, "
    "but is no argument for pre-training. "
)
SHOWN = 3  # number of schemes listed as about equally good
NAMES = tuple(task.name for task in TASKS)
SCRATCH = "own network, from scratch"
ALONE, FIXED, RANDOM = "all, one at a time", "all, fixed order", "all, random order"
EASY, HARD = "all, easy only", "all, hard only"

# The degradations that tasks undo, each easy or hard, named like the operators.
DEGRADATIONS = {task.easy.recipe.partition("(")[0]: f"({' | '.join(task.recipes)})" for task in TASKS}
UNDONE_BY = dict(zip(DEGRADATIONS, NAMES, strict=True))
# In the order of image formation: rain before the lens, the lens's blur, the pixels behind it, their noise.
ORDER = ("rain", "blur", "resize", "noise")


def recipes() -> dict[str, str]:
    """Return what foundations are pre-trained on, by name. In combinations, each degradation has a chance of 1/2."""
    parts = [f"{DEGRADATIONS[name]}?0.5" for name in ORDER]
    pairs = combinations(DEGRADATIONS, 2)
    return {
        **DEGRADATIONS,
        **{f"{one} + {other}": f"{DEGRADATIONS[one]} | {DEGRADATIONS[other]}" for one, other in pairs},
        ALONE: " | ".join(DEGRADATIONS.values()),
        FIXED: " > ".join(parts),
        RANDOM: f"shuffle({', '.join(parts)})",
        EASY: " | ".join(task.easy.recipe for task in TASKS),
        HARD: " | ".join(task.hard.recipe for task in TASKS),
    }


def adapter(budget: Budget, seed: int, task: Task, recipe: str) -> Adapted:
    """Return a task's adapter on the foundation of a recipe."""
    scaled = replace(budget, pretrain_steps=budget.scheme_pretraining, steps=budget.scheme_steps)
    return adapted(scaled, task.recipes, seed, foundation(scaled, seed, recipe))


def own(budget: Budget, seed: int, task: Task) -> Whole:
    """Return a separate network for a task, trained for as many steps as a foundation and an adapter together."""
    return scratch(replace(budget, steps=budget.scheme_pretraining + budget.scheme_steps), task.recipes, seed)


def methods(budget: Budget, seed: int) -> dict[str, Method]:
    """Return a separate network for each task, and adapters on every foundation, by the foundation's name."""
    found = {SCRATCH: method(budget, seed, SCRATCH, lambda seed, task: own(budget, seed, task), tune=False)}
    for name, recipe in recipes().items():

        def network(seed: int, task: Task, recipe: str = recipe) -> Adapted:
            return adapter(budget, seed, task, recipe)

        found[name] = method(budget, seed, name, network, tune=False)
    return found


def similarities(budget: Budget, seed: int) -> list[Similarity]:
    """Return the similarity of adapters on the foundation of all degradations, for each seed."""
    recipe = recipes()[ALONE]
    seeds = range(seed, seed + budget.seeds)
    return [Similarity(tuple(adapter(budget, one, task, recipe) for task in TASKS)) for one in seeds]


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    scores = [scores for one in methods(budget, seed).values() for scores in one.jobs]
    return [*scores, *similarities(budget, seed)]


Gains = Mapping[str, Mapping[str, float]]  # of each scheme, for each task, in dB


def gains_of(results: Results, rivals: dict[str, Method]) -> Gains:
    """Return the gain of each scheme over networks from scratch: mean PSNR of the easy and the hard half, in dB."""
    alone = {task.name: mean(results, rivals[SCRATCH], task.tests) for task in TASKS}
    return {
        name: {task.name: mean(results, rivals[name], task.tests) - alone[task.name] for task in TASKS}
        for name in recipes()
    }


def ranked(gains: Gains, wanted: Sequence[str]) -> list[tuple[float, str]]:
    """Return the mean gain over the given tasks and the scheme, the best first."""
    return sorted(((statistics.fmean(row[task] for task in wanted), name) for name, row in gains.items()), reverse=True)


def recommended(gains: Gains) -> list[list[object]]:
    """Return, for every set of tasks, what to pre-train on, its gain, and what is about equally good."""
    found: list[list[object]] = []
    for count in range(1, len(NAMES) + 1):
        for wanted in combinations(NAMES, count):
            (best, name), *others = ranked(gains, wanted)
            close = [other for gain, other in others if best - gain <= NEAR]
            more = [f"and {len(close) - SHOWN} more"] if len(close) > SHOWN else []
            found.append([", ".join(wanted), f"**{name}**", f"{best:+.2f}", "; ".join([*close[:SHOWN], *more])])
    return found


def agreement(gains: Gains, cosines: Sequence[Sequence[float]]) -> float:
    """Return the correlation, over pairs of tasks, of similarity and of how well one's degradation helps the other.

    The latter is the gain with the foundation of one degradation minus the mean of all that are foreign to the task.
    """
    single = {task: gains[name] for name, task in UNDONE_BY.items()}

    def prepares(first: str, second: str) -> float:
        return single[first][second] - statistics.fmean(single[other][second] for other in NAMES if other != second)

    pairs = list(combinations(range(len(NAMES)), 2))
    helps = [prepares(NAMES[i], NAMES[j]) + prepares(NAMES[j], NAMES[i]) for i, j in pairs]
    return float(torch.corrcoef(torch.tensor([[cosines[i][j] for i, j in pairs], helps]))[0, 1])


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget, rivals = results.budget, methods(results.budget, seed)
    gains = gains_of(results, rivals)
    found = [results[job].figures["cosines"] for job in similarities(budget, seed)]
    cosines = [[statistics.fmean(job) for job in zip(*rows, strict=True)] for rows in zip(*found, strict=True)]
    best, name = ranked(gains, NAMES)[0]
    return Page(
        "Schemes: what to pre-train on",
        "On which degradations should a foundation be trained, alone or together, in which order and how hard, so that "
        "small adapters on it restore a task well? Which tasks prepare for each other?",
        [
            heat_map(
                "gains",
                "Gain of an adapter over a network from scratch of as many steps in all, in dB: foundations by what "
                "they were pre-trained on, and the task of the adapter.",
                list(gains),
                (*NAMES, "mean"),
                [[*row.values(), statistics.fmean(row.values())] for row in gains.values()],
            ),
            "PSNR in dB.\n\n"
            + table(
                ("pre-trained on", *(test.name for test in ALL_TESTS), "mean"),
                [[name, *psnrs(results, rival), mean(results, rival)] for name, rival in rivals.items()],
            ),
            f"### What to pre-train on\n\nFor all four tasks: **{name}** ({best:+.2f} dB over networks from scratch). "
            f"{WORSE if best < 0 else ''}For every other set of tasks, with what comes within {NEAR} dB of it:\n\n"
            + table(("wanted", "pre-train on", "mean gain in dB", "about as good"), recommended(gains)),
            "### Which tasks are similar\n\nCosines between the weight changes of adapters on the foundation "
            f"*{ALONE}*: 1 is the same direction, 0 nothing in common.\n\n"
            + table(("task", *NAMES), [[task, *row] for task, row in zip(NAMES, cosines, strict=True)])
            + "\nOver the six pairs of tasks, this similarity and how well one's degradation prepares for the other "
            f"(above) correlate with {agreement(gains, cosines):+.2f}. Six pairs are few.",
        ],
        verdicts(results, rivals),
        [
            *protocol(results.workspace, ALL_TESTS, budget.images, budget.crop),
            f"Foundations: {budget.scheme_pretraining} steps; adapters: {budget.scheme_steps}. Networks from scratch "
            f"take both for each task, {budget.scheme_pretraining + budget.scheme_steps} steps on its two halves, "
            f"although a foundation is shared by all tasks. Learning rates, the same for all schemes: "
            f"{budget.rate:g} from scratch, {budget.rate_on:g} for adapters.",
            *(f"{name}: `{recipe}`." for name, recipe in DEGRADATIONS.items()),
            f"Pairs, and *{ALONE}*, *{EASY}*, *{HARD}*: a patch meets one of them. *{FIXED}*, *{RANDOM}*: each with a "
            f"chance of 1/2; the fixed order is {', '.join(ORDER)}.",
        ],
    )


def verdicts(results: Results, rivals: dict[str, Method]) -> list[Verdict]:
    """Return the verdict on each claim."""
    per_task = {name: [samples(results, rival, task.tests) for task in TASKS] for name, rival in rivals.items()}
    same = _joined([per_task[name][i] for i, name in enumerate(DEGRADATIONS)])
    foreign = _joined(
        [_mean([per_task[other][i] for other in DEGRADATIONS if other != name]) for i, name in enumerate(DEGRADATIONS)]
    )

    def judged(claim: str, ours: Samples, theirs: Samples, margin: float = 0.0) -> Verdict:
        return compare(claim, ours, theirs, margin, results.budget.meaningless)

    whole = {name: _joined(values) for name, values in per_task.items()}
    hard = {name: samples(results, rivals[name], HARD_TESTS) for name in (ALONE, EASY, HARD)}
    return [
        judged(
            "A foundation of another degradation than the task's beats networks from scratch", foreign, whole[SCRATCH]
        ),
        judged("A foundation of all degradations beats one of the task's own degradation alone", whole[ALONE], same),
        judged("Degradations together, in random order, beat one at a time", whole[RANDOM], whole[ALONE]),
        judged("Random order beats fixed order", whole[RANDOM], whole[FIXED]),
        judged("Easy and hard beat easy only, hard halves", hard[ALONE], hard[EASY]),
        judged(f"Hard only is at most {NEAR} dB worse than easy and hard, hard halves", hard[HARD], hard[ALONE], -NEAR),
    ]


def _joined(parts: Sequence[Samples]) -> Samples:
    """Return several groups of tests as one, for each seed."""
    return [[test for part in seed for test in part] for seed in zip(*parts, strict=True)]


def _mean(several: Sequence[Samples]) -> Samples:
    """Return the mean over several networks of each image, for each seed."""
    return [
        [[statistics.fmean(image) for image in zip(*test, strict=True)] for test in zip(*seed, strict=True)]
        for seed in zip(*several, strict=True)
    ]


STUDY = Study("schemes", "What to pre-train on: which degradations, in which order, how hard.", jobs, page, True)
