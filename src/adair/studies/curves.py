"""Study ``curves``: adapters, fine-tuning and networks from scratch as training gets longer, and where they cross."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from adair.studies.arms import adapted, fine_tuned, given_facts, scratch
from adair.studies.budget import Budget
from adair.studies.few_shot import ADAPTER, FULL, OWN, WAYS
from adair.studies.networks import Trained
from adair.studies.page import Page, Plot, table
from adair.studies.plots import scatter
from adair.studies.scores import protocol
from adair.studies.strategies import NEAR
from adair.studies.study import Method, Results, Study, mean, method, rate_facts, samples, tuned
from adair.studies.tasks import ALL_TESTS, TASKS, Drawn, Subset, Task, Test
from adair.studies.verdict import Verdict, compare
from adair.studies.workspace import Job
from adair.tasks import ZOO

Learners = dict[tuple[str, int], Method]
Curve = Sequence[tuple[float, float]]  # work and PSNR, by rising work


def new_task(name: str) -> Task:
    """Return a task of the zoo; both of its halves learn from its recipe, and are tested on its two validation sets."""
    zoo = ZOO[name]
    easy, hard = (Subset(zoo.recipe, Test(label, "Kodak24", Drawn(text))) for label, text in zoo.validation.items())
    return Task(name, easy, hard)


NEW = tuple(map(new_task, ("dehaze", "impulse-denoise")))  # no foundation has seen haze, or pixels that are lost
NEW_TESTS = tuple(test for task in NEW for test in task.tests)
GROUPS = {"known": ALL_TESTS, "new": NEW_TESTS}


def learner(budget: Budget, seed: int, way: str, task: Task) -> Trained:
    """Return the network of a task in one of `WAYS`, trained for ``budget.steps``."""
    if way == ADAPTER:
        return adapted(budget, task.recipes, seed)
    return (fine_tuned if way == FULL else scratch)(budget, task.recipes, seed)


def learners(budget: Budget, seed: int) -> Learners:
    """Return every way at every length; a way has one learning rate, chosen at the middle one of its lengths."""
    found: Learners = {}
    for way in WAYS:
        for steps in budget.lengths:
            at = replace(budget, steps=steps)

            def network(seed: int, task: Task, at: Budget = at, way: str = way) -> Trained:
                return learner(at, seed, way, task)

            found[way, steps] = method(budget, seed, way, network, tune=False, tasks=(*TASKS, *NEW))
        middle = found[way, budget.lengths[len(budget.lengths) // 2]]
        for steps in budget.lengths:
            found[way, steps] = tuned(budget, found[way, steps], middle)
    return found


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    return [scores for one in learners(budget, seed).values() for scores in one.jobs]


def share(budget: Budget, way: str) -> float:
    """Return the steps of pre-training that one of the four tasks has to pay for."""
    return 0.0 if way == OWN else budget.pretrain_steps / len(TASKS)


def curve(results: Results, found: Learners, way: str, tests: Sequence[Test], total: bool, seed: int | None) -> Curve:
    """Return the mean PSNR of a way over its steps for a task, or over its total work; of one seed or of all."""
    points = []
    for steps in results.budget.lengths:
        one = found[way, steps]
        one = one if seed is None else Method(one.name, one.scores[seed : seed + 1])
        points.append((steps + (share(results.budget, way) if total else 0.0), mean(results, one, tests)))
    return points


def height(points: Curve, work: float) -> float:
    """Interpolate a curve, linearly over the logarithm of the work."""
    for (low, first), (high, second) in pairwise(points):
        if low <= work <= high:
            part = math.log(work / low) / math.log(high / low)
            return first + part * (second - first)
    return points[-1][1] if work > points[-1][0] else points[0][1]


def crossing(first: Curve, second: Curve) -> float | None:
    """Return the work at which ``second`` catches up with ``first``; None: nowhere within both curves.

    >>> crossing([(100, 30.0), (400, 32.0)], [(100, 29.0), (400, 33.0)])
    200.0
    """
    start, end = max(first[0][0], second[0][0]), min(first[-1][0], second[-1][0])
    places = sorted({start, end, *(work for work, _ in (*first, *second) if start < work < end)})
    leads = [(work, height(first, work) - height(second, work)) for work in places if start <= end]
    for (low, before), (high, after) in pairwise(leads):
        if before > 0 >= after:
            return float(round(low * (high / low) ** (before / (before - after)), 6))
    return None


def reached(points: Curve, quality: float) -> float | None:
    """Return the work at which a curve first reaches a PSNR; None: it does not. The first point counts as a whole."""
    if points[0][1] >= quality:
        return points[0][0]
    return crossing([(work, quality) for work, _ in points], points)


def page(results: Results, seed: int) -> Page:
    """Return the page of the results."""
    budget, found = results.budget, learners(results.budget, seed)
    quality = [
        [name, way, *(mean(results, found[way, steps], tests) for steps in budget.lengths)]
        for name, tests in GROUPS.items()
        for way in WAYS
    ]
    lengths = [f"{steps:,} steps" for steps in budget.lengths]
    return Page(
        "Curves: how long to train",
        "From how many steps on does a network of its own restore a task better than an adapter, at equal steps of the "
        "task and at equal work in all? And how long does each way take to a given quality?",
        [
            "Mean PSNR in dB; *known*: the four tasks of the paper, *new*: tasks of the zoo that no foundation has "
            "seen.\n\n" + table(("tasks", "way", *lengths), quality),
            *plots(results, found),
            "### Where the lines cross\n\nThe steps at which the other catches up with an adapter, in brackets those "
            "of each seed. *Equal work*: with the part of pre-training that one of four tasks has to pay for.\n\n"
            + table(("tasks", "against", "equal steps", "equal work"), crossings(results, found)),
            "### How long to a given quality\n\nThe quality is what networks of their own reach with most steps; the "
            "time is that of training one task, on the machine named below, without pre-training.\n\n"
            + table(("tasks", "way", "PSNR in dB", "steps", "seconds"), times(results, found)),
        ],
        verdicts(results, found),
        [
            *protocol(results.workspace, (*ALL_TESTS, *NEW_TESTS), budget.images, budget.crop),
            f"Pre-training: {budget.pretrain_steps} steps, of which a task pays {share(budget, ADAPTER):g}. Every "
            "point is a training of its own, with a schedule of its own.",
            *rate_facts(results, [found[way, budget.lengths[-1]] for way in WAYS]),
            *given_facts(budget),
        ],
    )


def plots(results: Results, found: Learners) -> list[Plot]:
    """Return PSNR over steps and over total work, for known and for new tasks."""
    drawn = []
    for name, tests in GROUPS.items():
        for total, unit in ((False, "steps of the task"), (True, "steps, with a share of pre-training")):
            curves = {way: curve(results, found, way, tests, total, None) for way in WAYS}
            file = f"{name}-{'work' if total else 'steps'}"
            drawn.append(scatter(file, f"Mean PSNR of {name} tasks over {unit}.", curves, (unit, "mean PSNR in dB")))
    return drawn


def crossings(results: Results, found: Learners) -> list[list[object]]:
    """Return where full fine-tuning and networks of their own catch up with adapters, for known and new tasks."""

    def place(tests: Sequence[Test], other: str, total: bool, seed: int | None = None) -> str:
        ours, theirs = (curve(results, found, way, tests, total, seed) for way in (ADAPTER, other))
        work = crossing(ours, theirs)
        if work is not None:
            return f"{work:,.0f}"
        start, end = max(ours[0][0], theirs[0][0]), min(ours[-1][0], theirs[-1][0])
        if start > end:
            return "no common range"
        return "nowhere: ahead" if height(ours, end) > height(theirs, end) else "nowhere: behind"

    def row(name: str, tests: Sequence[Test], other: str) -> list[object]:
        cells: list[object] = [name, other]
        for total in (False, True):
            each = [place(tests, other, total, seed) for seed in range(results.budget.seeds)]
            cells.append(f"{place(tests, other, total)} ({', '.join(each)})")
        return cells

    return [row(name, tests, other) for name, tests in GROUPS.items() for other in (FULL, OWN)]


def times(results: Results, found: Learners) -> list[list[object]]:
    """Return steps and seconds of each way to the quality that networks of their own reach in the end."""
    last = results.budget.lengths[-1]
    rows: list[list[object]] = []
    for name, tests in GROUPS.items():
        quality = mean(results, found[OWN, last], tests)
        for way in WAYS:
            steps = reached(curve(results, found, way, tests, False, None), quality)
            networks = found[way, last].networks()
            pace = statistics.fmean(results[one].costs.get("seconds", 0.0) for one in networks) / last
            ends = ["not reached", ""] if steps is None else [f"{steps:,.0f}", f"{steps * pace:.0f}"]
            rows.append([name, way, quality, *ends])
    return rows


def verdicts(results: Results, found: Learners) -> list[Verdict]:
    """Return the verdict on each claim."""
    budget = results.budget
    first, last = budget.lengths[0], budget.lengths[-1]
    same_work = [
        (steps, own) for steps in budget.lengths for own in budget.lengths if steps + share(budget, ADAPTER) == own
    ]

    def judged(claim: str, steps: int, other: tuple[str, int], tests: Sequence[Test], margin: float = 0.0) -> Verdict:
        ours, theirs = (samples(results, found[key], tests) for key in ((ADAPTER, steps), other))
        return compare(claim, ours, theirs, margin, budget.meaningless)

    return [
        judged(
            f"With {first} steps for each task, adapters beat networks of their own", first, (OWN, first), ALL_TESTS
        ),
        judged(f"With {last} steps for each task, adapters beat networks of their own", last, (OWN, last), ALL_TESTS),
        *(
            judged(
                f"With as much work in all ({own} steps a task), adapters are at most {NEAR} dB worse than networks of "
                "their own",
                *(steps, (OWN, own), ALL_TESTS, -NEAR),
            )
            for steps, own in same_work
        ),
        judged(
            f"With {last} steps, adapters are at most {NEAR} dB worse than full fine-tuning",
            *(last, (FULL, last), ALL_TESTS, -NEAR),
        ),
        *(
            judged(f"On new tasks with {n} steps, adapters beat networks of their own", n, (OWN, n), NEW_TESTS)
            for n in (first, last)
        ),
    ]


STUDY = Study("curves", "Adapters, fine-tuning and own networks over the length of training.", jobs, page)
