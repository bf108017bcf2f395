"""Study ``backbones``: the paper's backbone, Restormer, against NAFNet, at equal parameters and at equal time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from adair.studies.arms import adapted, suited
from adair.studies.budget import Budget, Shape
from adair.studies.networks import Adapted, Network, Whole
from adair.studies.pace import APART, EqualPace, apart
from adair.studies.page import Page, table
from adair.studies.plots import scatter
from adair.studies.runner import work_off
from adair.studies.scores import protocol
from adair.studies.study import Method, Results, Study, mean, method, psnrs, rate_facts, samples
from adair.studies.tasks import ALL_TESTS, Task
from adair.studies.training import Course
from adair.studies.verdict import OPEN, Verdict, compare
from adair.studies.workspace import Job, Workspace
from adair.tasks import LABORATORY

RESTORMER, PARAMETERS, SECONDS = "restormer", "nafnet, equal parameters", "nafnet, equal seconds"


def pace(budget: Budget) -> EqualPace:
    """Return the measurement of the width that takes equal seconds."""
    restormer, _, nafnet = budget.backbones
    return EqualPace(restormer, nafnet, budget.crop)


def settle(budget: Budget, workspace: Workspace) -> Budget:
    """Return the budget with the width that takes equal seconds in this workspace; the first call measures it."""
    work_off([pace(budget)], workspace)
    return replace(budget, equal_width=workspace.result(pace(budget)).figures["width"])


def shapes(budget: Budget) -> Mapping[str, Shape]:
    """The networks to compare."""
    restormer, parameters, seconds = budget.backbones
    equal = replace(seconds, width=budget.equal_width or seconds.width)
    return {RESTORMER: restormer, PARAMETERS: parameters, SECONDS: equal}


def base(budget: Budget, form: Shape, seed: int) -> Whole:
    """Return the foundation of a shape; pre-trained half as long as in the other studies, because there are three."""
    steps, rate = max(1, budget.pretrain_steps // 2), suited(budget, form).rate
    return Whole(Course((LABORATORY,), steps, budget.batch, budget.patch, rate, seed=seed), form)


def methods(budget: Budget, seed: int) -> dict[str, tuple[Method, Method]]:
    """Each network as a frozen foundation, and with an adapter for every task; both have rates of their own."""
    found = {}
    for name, form in shapes(budget).items():

        def network(seed: int, task: object, form: Shape = form) -> Whole:
            return base(budget, form, seed)

        frozen = method(budget, seed, name, network)
        foundations = [frozen.networks(place)[0] for place in range(budget.seeds)]

        def tuned(one: int, task: Task, foundations: Sequence[Network] = foundations) -> Adapted:
            return adapted(budget, task.recipes, one, foundations[one - seed])

        found[name] = frozen, method(budget, seed, f"{name}, AdaIR", tuned)
    return found


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    scores = [scores for pair in methods(budget, seed).values() for one in pair for scores in one.jobs]
    return [pace(budget), *scores]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget, rivals = results.budget, methods(results.budget, seed)
    quality: list[list[object]] = []
    costs: list[list[object]] = []
    times = results[pace(budget)].costs
    measured = {RESTORMER: times["given"], SECONDS: times["chosen"]}
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
                measured.get(name),
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
                    "s a megapixel, measured in turns",
                    "s a megapixel, tests",
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
            *rate_facts(results, [one for pair in rivals.values() for one in pair]),
            equal_seconds(results),
            f"Foundations: {max(1, budget.pretrain_steps // 2)} steps, half as many as in the other studies.",
        ],
    )


def equal_seconds(results: Results) -> str:
    """Return what was measured to make seconds equal, in a line."""
    job = pace(results.budget)
    found, costs = results[job].figures["width"], results[job].costs
    given, chosen = costs["given"], costs["chosen"]
    return (
        f"Equal seconds: the NAFNet of width {found} came closest to the Restormer, {chosen:.3f} against {given:.3f} s "
        f"a megapixel ({apart(given, chosen):+.1%}; up to {APART:.0%} counts as equal), measured in turns before all "
        "else."
    )


def verdicts(results: Results, rivals: dict[str, tuple[Method, Method]]) -> list[Verdict]:
    """Return the verdict on each claim."""

    def judged(claim: str, ours: str, theirs: str) -> Verdict:
        first, second = (samples(results, rivals[name][1]) for name in (ours, theirs))
        return compare(claim, first, second, meaningless=results.budget.meaningless)

    costs = results[pace(results.budget)].costs
    unequal = abs(apart(costs["given"], costs["chosen"])) > APART
    seconds = judged("With adapters and equal seconds, NAFNet restores better than Restormer", SECONDS, RESTORMER)
    if unequal:
        seconds = replace(seconds, outcome=OPEN, why=f"{seconds.why}; no width takes equal seconds", p=None, gap=None)
    return [
        judged("With adapters and equal parameters, Restormer restores better than NAFNet", RESTORMER, PARAMETERS),
        seconds,
    ]


STUDY = Study("backbones", "NAFNet and Restormer at equal seconds and at equal parameters.", jobs, page, True, settle)
