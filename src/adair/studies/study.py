"""Studies: a question, the jobs that answer it, the methods that are compared, and the page of results."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from adair.studies.budget import Budget
from adair.studies.networks import Network, Trained
from adair.studies.page import Page
from adair.studies.rates import SHARE, RateChoice, choose_rate, validated, with_rate
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
        settle: measures what the jobs depend on, once for a workspace, and returns the budget with it.
    """

    name: str
    summary: str
    jobs: Callable[[Budget, int], Sequence[Job]]
    page: Callable[[Results, int], Page]
    pretrains: bool = False
    settle: Callable[[Budget, Workspace], Budget] = lambda budget, workspace: budget

    def in_turn(self, budget: Budget, seed: int) -> list[Job]:
        """Return the jobs seed by seed: those of the first seed, then what the second adds, and so on."""
        return [job for seeds in range(1, budget.seeds + 1) for job in self.jobs(replace(budget, seeds=seeds), seed)]

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


def method(
    budget: Budget,
    seed: int,
    name: str,
    network: Callable[[int, Task], Network | None],
    tune: bool = True,
    tasks: Sequence[Task] = TASKS,
) -> Method:
    """Test the network that ``network`` returns for each seed and task, on the task's easy and hard half.

    Its learning rate is chosen by trials of the first seed, one rate for all tasks and seeds, unless ``tune`` is False.
    """

    def scores(seed: int, task: Task) -> Scores:
        return Scores(network(seed, task), task.tests, budget.images, budget.crop, task.name)

    found = [{task.name: scores(one, task) for task in tasks} for one in range(seed, seed + budget.seeds)]
    return tuned(budget, Method(name, tuple(found))) if tune else Method(name, tuple(found))


def tuned(budget: Budget, method: Method, trials: Method | None = None) -> Method:
    """Return the method with the learning rate that is best for the networks of the first seed, its own or others'."""
    choice = choose_rate(budget, (trials or method).scores[0].values())
    return Method(
        method.name,
        tuple(
            {task: replace(one, network=with_rate(one.network, choice)) for task, one in seed.items()}
            for seed in method.scores
        ),
    )


def on_validation(budget: Budget, method: Method) -> Method:
    """Return the method's scores on validation photos, from which the best method can be chosen."""
    seeds = ({task: validated(budget, one) for task, one in seed.items()} for seed in method.scores)
    return Method(method.name, tuple(seeds))


def rate_facts(results: Results, methods: Iterable[Method]) -> list[str]:
    """Return how the learning rates were chosen, and which, in a line."""
    found = []
    for one in methods:
        choice = next((network.choice for network in one.networks() if isinstance(network, Trained)), None)
        if isinstance(choice, RateChoice):
            rate = results[choice].figures["rate"]
            edge = " (the end of the range)" if rate in (min(choice.rates), max(choice.rates)) else ""
            found.append(f"{one.name} {rate:g}{edge}")
    if not found:
        return []
    return [
        f"Learning rate of each method: the best of {len(results.budget.rates)} after {SHARE:.0%} of its steps with "
        f"the first seed, on {results.budget.validation} photos that are neither trained on nor tested: "
        f"{'; '.join(found)}."
    ]


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
