"""Study ``backbones``: the paper's backbone, Restormer, against NAFNet, at equal parameters and at equal time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from adair.studies.arms import adapted
from adair.studies.budget import Budget, Shape
from adair.studies.networks import Adapted, Whole
from adair.studies.page import Page, table
from adair.studies.plots import scatter
from adair.studies.scores import protocol
from adair.studies.study import Method, Results, Study, mean, method, psnrs, rate_facts, samples
from adair.studies.tasks import ALL_TESTS, Task
from adair.studies.training import Course
from adair.studies.verdict import Verdict, compare
from adair.studies.workspace import Job
from adair.tasks import LABORATORY

RESTORMER, PARAMETERS, SECONDS = "restormer", "nafnet, equal parameters", "nafnet, equal seconds"


def shapes(budget: Budget) -> Mapping[str, Shape]:
    """The networks to compare."""
    return dict(zip((RESTORMER, PARAMETERS, SECONDS), budget.backbones, strict=True))


def base(budget: Budget, form: Shape, seed: int) -> Whole:
    """Return the foundation of a shape; pre-trained half as long as in the other studies, because there are three."""
    steps = max(1, budget.pretrain_steps // 2)
    return Whole(Course((LABORATORY,), steps, budget.batch, budget.patch, budget.rate, seed=seed), form)


def methods(budget: Budget, seed: int) -> dict[str, tuple[Method, Method]]:
    """Each network as a frozen foundation, and with an adapter for every task."""
    found = {}
    for name, form in shapes(budget).items():

        def frozen(seed: int, task: object, form: Shape = form) -> Whole:
            return base(budget, form, seed)

        def tuned(seed: int, task: Task, form: Shape = form) -> Adapted:
            return adapted(budget, task.recipes, seed, base(budget, form, seed))

        found[name] = method(budget, seed, name, frozen, tune=False), method(budget, seed, f"{name}, AdaIR", tuned)
    return found


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    return [scores for pair in methods(budget, seed).values() for one in pair for scores in one.jobs]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget, rivals = results.budget, methods(results.budget, seed)
    quality: list[list[object]] = []
    costs: list[list[object]] = []
    points: dict[str, list[tuple[float, float]]] = {}
    for name, (frozen, tuned) in rivals.items():
        quality += [[one.name, *psnrs(results, one), mean(results, one)] for one in (frozen, tuned)]
        speed = statistics.fmean(results[scores].costs["seconds"] for scores in frozen.scores[0].values())
        foundation, adapters = frozen.networks()[0], tuned.networks()
        adapter = results[adapters[0]].figures
        training = [results[one].costs["seconds"] for one in (foundation, *adapters)]
        costs.append(
            [
                name,
                results[foundation].figures["parameters"],
                adapter["parameters"],
                adapter["bytes"],
                speed,
                f"{training[0]:.0f}",
                f"{statistics.fmean(training[1:]):.0f}",
            ]
        )
        points[name] = [(speed, mean(results, tuned))]
    return Page(
        "Backbones: Restormer and NAFNet",
        "The paper builds on Restormer; the bundled foundation is a NAFNet. Which restores better, with adapters, at "
        "equal parameters, and at equal seconds?",
        [
            "PSNR in dB.\n\n" + table(("network", *(test.name for test in ALL_TESTS), "mean"), quality),
            scatter(
                "speed",
                "Mean PSNR with adapters against the time of restoring.",
                points,
                ("seconds a megapixel", "mean PSNR in dB"),
            ),
            "### What each costs\n\n"
            + table(
                (
                    "network",
                    "parameters",
                    "adapter, parameters",
                    "adapter, bytes",
                    "s a megapixel",
                    "training s, foundation",
                    "training s, adapter",
                ),
                costs,
            ),
        ],
        verdicts(results, rivals),
        [
            *protocol(results.workspace, ALL_TESTS, budget.images, budget.crop),
            *(f"{name}: {form}." for name, form in shapes(budget).items()),
            *rate_facts(results, [tuned for _, tuned in rivals.values()]),
            "Equal seconds: as far as integer widths allow, measured on another day; the table has today's figures.",
            f"Foundations: {max(1, budget.pretrain_steps // 2)} steps, half as many as in the other studies.",
        ],
    )


def verdicts(results: Results, rivals: dict[str, tuple[Method, Method]]) -> list[Verdict]:
    """Return the verdict on each claim."""

    def judged(claim: str, ours: str, theirs: str) -> Verdict:
        first, second = (samples(results, rivals[name][1]) for name in (ours, theirs))
        return compare(claim, first, second, meaningless=results.budget.meaningless)

    return [
        judged("With adapters and equal parameters, Restormer restores better than NAFNet", RESTORMER, PARAMETERS),
        judged("With adapters and equal seconds, NAFNet restores better than Restormer", SECONDS, RESTORMER),
    ]


STUDY = Study("backbones", "NAFNet and Restormer at equal seconds and at equal parameters.", jobs, page, True)
