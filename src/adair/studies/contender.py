"""A contender: one way to restore all tasks, a row of a table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adair.studies.budget import Budget
from adair.studies.networks import Network
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.tasks import ALL_TESTS, TASKS, Task, Test
from adair.studies.verdict import Samples


@dataclass(frozen=True)
class Contender:
    """The scores of one way to restore all tasks.

    Attributes:
        name: what tables call it.
        scores: by task name; each holds both tests of its task.
    """

    name: str
    scores: dict[str, Scores]

    def of(self, test: Test) -> Scores:
        """The scores that hold a test."""
        return next(scores for scores in self.scores.values() if test in scores.tests)


def contender(budget: Budget, name: str, network: Callable[[Task], Network | None]) -> Contender:
    """Test, for every task, the network that ``network`` gives for it, on the task's easy and hard half."""
    return Contender(
        name, {task.name: Scores(network(task), task.tests, budget.images, budget.crop, task.name) for task in TASKS}
    )


def psnrs(results: Results, contender: Contender, tests: Sequence[Test] = ALL_TESTS) -> list[float]:
    """Mean PSNR of each test, in dB."""
    return [results.psnr(contender.of(test), test) for test in tests]


def mean(results: Results, contender: Contender, tests: Sequence[Test] = ALL_TESTS) -> float:
    """Mean of `psnrs`."""
    return statistics.fmean(psnrs(results, contender, tests))


def samples(results: Results, seeds: Sequence[Contender], tests: Sequence[Test] = ALL_TESTS) -> Samples:
    """PSNR of every image of every test, for the contender of each seed: what `compare` judges."""
    return [[value for test in tests for value in results.each(one.of(test), test)] for one in seeds]
