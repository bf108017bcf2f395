"""What a study is: a question, the jobs that answer it at a budget, and the page that is made of their results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adair.studies.budget import Budget
from adair.studies.job import Job, Result
from adair.studies.page import Page
from adair.studies.scores import Scores
from adair.studies.tasks import Test
from adair.studies.verdict import holm
from adair.studies.workspace import Workspace


@dataclass(frozen=True)
class Results:
    """The results of a study's jobs, all of them done.

    Attributes:
        workspace: where they were found.
        budget: at which they were.
    """

    workspace: Workspace
    budget: Budget

    def __getitem__(self, job: Job) -> Result:
        return self.workspace.result(job)

    def psnr(self, scores: Scores, test: Test) -> float:
        """Mean PSNR of a test, in dB."""
        return statistics.fmean(self.each(scores, test))

    def ssim(self, scores: Scores, test: Test) -> float:
        """Mean SSIM of a test."""
        return statistics.fmean(value or 0.0 for value in self[scores].figures[test.name]["ssim"])

    def each(self, scores: Scores, test: Test) -> list[float]:
        """PSNR of each image of a test, in dB."""
        found: list[float] = self[scores].figures[test.name]["psnr"]
        return found


@dataclass(frozen=True)
class Study:
    """One experiment.

    Attributes:
        name: what the command line calls it.
        summary: what it asks, in a line.
        jobs: those that it reports about, at a budget and from a first seed; what they need is found from them.
        page: makes the page from their results, at the same budget and seed.
    """

    name: str
    summary: str
    jobs: Callable[[Budget, int], Sequence[Job]]
    page: Callable[[Results, int], Page]

    def report(self, results: Results, seed: int) -> Page:
        """The page, its verdicts corrected for how many there are."""
        page = self.page(results, seed)
        return replace(page, verdicts=holm(page.verdicts))
