"""Studies: a question, the jobs that answer it, the methods that are compared, and the page of results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adair.studies.budget import Budget
from adair.studies.networks import Network
from adair.studies.page import Page
from adair.studies.scores import Scores
from adair.studies.tasks import ALL_TESTS, TASKS, Task, Test
from adair.studies.verdict import Samples, holm
from adair.studies.workspace import Job, Result, Workspace


@dataclass(frozen=True)
class Results:
    """The results of a study's jobs, all of which are done.

    Attributes:
        workspace: where the results are stored.
        budget: the budget of the jobs.
    """

    workspace: Workspace
    budget: Budget

    def __getitem__(self, job: Job) -> Result:
        return self.workspace.result(job)

    def psnr(self, scores: Scores, test: Test) -> float:
        """Return the mean PSNR of a test, in dB."""
        return statistics.fmean(self.each(scores, test))

    def ssim(self, scores: Scores, test: Test) -> float:
        """Return the mean SSIM of a test."""
        return statistics.fmean(value or 0.0 for value in self[scores].figures[test.name]["ssim"])

    def each(self, scores: Scores, test: Test) -> list[float]:
        """Return the PSNR of each image of a test, in dB."""
        found: list[float] = self[scores].figures[test.name]["psnr"]
        return found


@dataclass(frozen=True)
class Study:
    """One experiment.

    Attributes:
        name: its name on the command line.
        summary: its question in one line.
        jobs: returns the jobs of the page, for a budget and a first seed; their dependencies follow from them.
        page: makes the page from their results, for the same budget and seed.
        pretrains: whether it is about pre-training, so that no foundation can be given.
    """

    name: str
    summary: str
    jobs: Callable[[Budget, int], Sequence[Job]]
    page: Callable[[Results, int], Page]
    pretrains: bool = False

    def report(self, results: Results, seed: int) -> Page:
        """Return the page, with verdicts corrected for their number."""
        page = self.page(results, seed)
        return replace(page, verdicts=holm(page.verdicts))


@dataclass(frozen=True)
class Method:
    """The scores of a method for all tasks.

    Attributes:
        name: its name in tables.
        scores: for each seed, the scores of each task by name, with both tests of the task.
    """

    name: str
    scores: tuple[dict[str, Scores], ...]

    @property
    def jobs(self) -> list[Scores]:
        """All scores."""
        return [scores for seed in self.scores for scores in seed.values()]

    def networks(self, seed: int = 0) -> list[Network]:
        """Return the networks of one seed (counted from 0), each once."""
        found: list[Network] = []
        for scores in self.scores[seed].values():
            if scores.network is not None and scores.network not in found:
                found.append(scores.network)
        return found

    def of(self, test: Test) -> list[Scores]:
        """Return, for each seed, the scores with a test."""
        return [next(scores for scores in seed.values() if test in scores.tests) for seed in self.scores]


def method(budget: Budget, seed: int, name: str, network: Callable[[int, Task], Network | None]) -> Method:
    """Test the network that ``network`` returns for each seed and task, on the task's easy and hard half."""

    def scores(seed: int, task: Task) -> Scores:
        return Scores(network(seed, task), task.tests, budget.images, budget.crop, task.name)

    seeds = range(seed, seed + budget.seeds)
    return Method(name, tuple({task.name: scores(one, task) for task in TASKS} for one in seeds))


def psnrs(results: Results, method: Method, tests: Sequence[Test] = ALL_TESTS) -> list[float]:
    """Return the mean PSNR of each test over images and seeds, in dB."""
    return [statistics.fmean(results.psnr(scores, test) for scores in method.of(test)) for test in tests]


def ssims(results: Results, method: Method, tests: Sequence[Test] = ALL_TESTS) -> list[float]:
    """Return the mean SSIM of each test over images and seeds."""
    return [statistics.fmean(results.ssim(scores, test) for scores in method.of(test)) for test in tests]


def mean(results: Results, method: Method, tests: Sequence[Test] = ALL_TESTS) -> float:
    """Mean of `psnrs`."""
    return statistics.fmean(psnrs(results, method, tests))


def samples(results: Results, method: Method, tests: Sequence[Test] = ALL_TESTS) -> Samples:
    """Return the PSNR for each seed, test and image, for `compare`."""
    seeds = range(len(method.scores))
    return [[results.each(method.of(test)[seed], test) for test in tests] for seed in seeds]
