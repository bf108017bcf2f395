"""The last part of study ``unseen``: what a network forgets when it is fine-tuned for one task."""

from __future__ import annotations

import statistics

from adair.studies.budget import Budget
from adair.studies.scores import Scores
from adair.studies.strategies import FROZEN, TUNED, methods
from adair.studies.study import Method, Results
from adair.studies.tasks import TASKS
from adair.studies.verdict import Samples, Verdict, compare
from adair.studies.workspace import Job

Pair = tuple[Scores, Scores]  # of a fine-tuned network, and of the foundation, on the tests of all other tasks


def pairs(budget: Budget, seed: int) -> list[list[Pair]]:
    """Return, for each seed and task, scores on the other tasks of the network fine-tuned for it and the foundation."""
    every = methods(budget, seed)

    def on_others(method: Method, place: int, name: str) -> Scores:
        network = method.scores[place][name].network
        tests = tuple(test for task in TASKS if task.name != name for test in task.tests)
        return Scores(network, tests, budget.images, budget.crop, name)

    return [
        [(on_others(every[TUNED], place, task.name), on_others(every[FROZEN], place, task.name)) for task in TASKS]
        for place in range(budget.seeds)
    ]


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of this part."""
    return [scores for one in pairs(budget, seed) for both in one for scores in both]


def rows(results: Results, seed: int) -> list[list[object]]:
    """Return, for each task, the mean PSNR in dB on the others before and after fine-tuning, and the difference."""
    found = pairs(results.budget, seed)
    table: list[list[object]] = []
    for place, task in enumerate(TASKS):
        tuned, frozen = (
            statistics.fmean(results.psnr(one[place][which], test) for one in found for test in one[place][which].tests)
            for which in (0, 1)
        )
        table.append([task.name, frozen, tuned, f"{tuned - frozen:+.2f}"])
    return table


def verdict(results: Results, seed: int) -> Verdict:
    """Return the verdict on forgetting."""
    found = pairs(results.budget, seed)

    def values(which: int) -> Samples:
        return [[results.each(one[which], test) for one in of_seed for test in one[which].tests] for of_seed in found]

    claim = "Fine-tuned for one task, the foundation restores the other tasks worse than before"
    return compare(claim, values(1), values(0), meaningless=results.budget.meaningless)
