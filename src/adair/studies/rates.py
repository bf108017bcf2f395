"""Learning rates, chosen for each method on photos that are neither trained on nor tested."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace

from adair.studies.budget import Budget
from adair.studies.networks import Network, Trained
from adair.studies.scores import Scores
from adair.studies.workspace import Job, Result, Workspace

SHARE = 0.5  # of the steps of a method: the length of its trials


@dataclass(frozen=True)
class RateChoice(Job):
    """The learning rate with the best trials.

    Figures: "rate", the chosen one, and "psnr", the mean of each rate's trials on validation photos in dB.

    Attributes:
        rates: the candidates.
        trials: for each of them, scores of short trainings.
    """

    rates: tuple[float, ...]
    trials: tuple[tuple[Scores, ...], ...]

    @property
    def title(self) -> str:
        return f"choice of a learning rate for {self.trials[0][0].title.removeprefix('test of ')} and others"

    def work(self, workspace: Workspace) -> Result:
        found = [
            statistics.fmean(
                statistics.fmean(values["psnr"])
                for scores in trials
                for values in workspace.result(scores).figures.values()
            )
            for trials in self.trials
        ]
        return Result({"rate": self.rates[found.index(max(found))], "psnr": [round(value, 4) for value in found]}, {})

    def workload(self) -> tuple[str, float]:
        return "choice", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def choose_rate(budget: Budget, scores: Iterable[Scores]) -> RateChoice | None:
    """Return the choice for a method, from trials of its networks of one seed; None: nothing is trained or chosen.

    Args:
        budget: its ``rates`` are the candidates, as factors of the rate of the course.
        scores: the method's tests for one seed: on which tasks its rate has to be good.
    """
    trained = [(one, one.network) for one in scores if isinstance(one.network, Trained)]
    if len(budget.rates) < 2 or not trained:
        return None
    trials = tuple(
        tuple(validated(budget, replace(one, network=_shortened(network, factor))) for one, network in trained)
        for factor in budget.rates
    )
    return RateChoice(tuple(trained[0][1].course.rate * factor for factor in budget.rates), trials)


def with_rate(network: Network | None, choice: RateChoice | None) -> Network | None:
    """Return the network, trained with the chosen rate if it is trained at all."""
    return replace(network, choice=choice) if isinstance(network, Trained) else network


def validated(budget: Budget, scores: Scores) -> Scores:
    """Return the same scores on validation photos instead of test images."""
    return replace(scores, validation=True, images=budget.validation or budget.images)


def _shortened(network: Trained, factor: float) -> Trained:
    course = network.course
    return replace(
        network, course=replace(course, steps=max(1, round(SHARE * course.steps)), rate=course.rate * factor)
    )
