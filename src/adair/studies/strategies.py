"""Study ``strategies``: the four strategies of the paper's Figure 1 on the same backbone, data, steps and protocol."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from adair.studies.arms import adapted, course, fine_tuned, foundation, given_facts, scratch
from adair.studies.budget import Budget
from adair.studies.heads import HeadsAndTails
from adair.studies.networks import Adapted, Network
from adair.studies.page import Page, table
from adair.studies.plots import bars, sheet
from adair.studies.prompts import Prompted
from adair.studies.scores import protocol
from adair.studies.study import Method, Results, Study, mean, method, psnrs, rate_facts, samples, ssims
from adair.studies.tasks import ALL_RECIPES, ALL_TESTS, EASY_TESTS, HARD_TESTS, TASKS, Test
from adair.studies.training import Course
from adair.studies.verdict import Verdict, compare, counted
from adair.studies.workspace import Job

ADAIR, TUNED, FROZEN = "(d) AdaIR", "full fine-tuning", "foundation, frozen"
EASY, HARD, BOTH = "(a) own network, E", "(a) own network, H", "(a) own network, E+H"
HEADS, PROMPTS = "(b) shared body, heads and tails", "(c) all-in-one, prompts"
WORK = "(a) own network, E+H, equal total work"
NEAR = 0.1  # dB within which results count as equal


def equal_work(budget: Budget) -> Budget:
    """Return a number of steps with which four separate networks take as many as the foundation and four adapters."""
    return replace(budget, steps=budget.steps + budget.pretrain_steps // len(TASKS))


def methods(budget: Budget, seed: int) -> dict[str, Method]:
    """Return all strategies by name."""
    names = tuple(task.name for task in TASKS)

    def together(seed: int) -> Course:
        return course(budget, ALL_RECIPES, seed, times=len(TASKS))

    found = [
        method(budget, seed, "input", lambda seed, task: None),
        method(budget, seed, EASY, lambda seed, task: scratch(budget, task.recipes[:1], seed)),
        method(budget, seed, HARD, lambda seed, task: scratch(budget, task.recipes[1:], seed)),
        method(budget, seed, BOTH, lambda seed, task: scratch(budget, task.recipes, seed)),
        method(budget, seed, HEADS, lambda seed, task: HeadsAndTails(together(seed), budget.shape, names)),
        method(budget, seed, PROMPTS, lambda seed, task: Prompted(together(seed), budget.shape)),
        method(budget, seed, FROZEN, lambda seed, task: foundation(budget, seed), tune=False),
        method(budget, seed, ADAIR, lambda seed, task: adapted(budget, task.recipes, seed)),
        method(budget, seed, TUNED, lambda seed, task: fine_tuned(budget, task.recipes, seed)),
    ]
    if not budget.foundation:  # the work of a given one is not the study's to repeat
        work = equal_work(budget)
        found.insert(4, method(budget, seed, WORK, lambda seed, task: scratch(work, task.recipes, seed)))
    return {one.name: one for one in found}


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    return [scores for one in methods(budget, seed).values() for scores in one.jobs]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget, rivals = results.budget, methods(results.budget, seed)
    quality, costs = [], []
    for name, rival in rivals.items():
        pairs = zip(psnrs(results, rival), ssims(results, rival), strict=True)
        quality.append([name, *(f"{psnr:.2f} / {ssim:.4f}" for psnr, ssim in pairs), mean(results, rival, HARD_TESTS)])
        if rival.networks():
            costs.append([name, *_costs(results, rival)])
    columns = ("strategy", *(test.name for test in ALL_TESTS), "hard average")
    return Page(
        "Strategies: four ways to restore many tasks",
        "Does one frozen foundation with an adapter for each task equal or beat (a) a separate network for each, "
        "(b) one body with a head and a tail for each task, and (c) one network for all, at a fraction of parameters, "
        "storage and training time?",
        [
            "PSNR in dB and SSIM. E, H, E+H: trained on the easy half of a task, the hard half, both.\n\n"
            + table(columns, quality),
            bars(
                "hard",
                "Mean PSNR of the four hard halves.",
                {name: mean(results, rival, HARD_TESTS) for name, rival in rivals.items()},
                [ADAIR],
                "mean PSNR in dB",
            ),
            "### What each costs\n\nTrained parameters and seconds are those of all four tasks, pre-training included. "
            "One more task: what a fifth task would train (everything, if tasks share trained weights). "
            "Bytes are those of all files that four tasks need, in fp16.\n\n"
            + table(
                (
                    "strategy",
                    "trained parameters",
                    "parameters, one more task",
                    "bytes stored",
                    "bytes, one more task",
                    "training s",
                    "training s, one more task",
                    "s a megapixel",
                ),
                costs,
            ),
            sheet(results, [rivals[name] for name in (BOTH, PROMPTS, FROZEN, ADAIR)], TASKS[:2]),
        ],
        verdicts(results, rivals),
        [
            *protocol(results.workspace, ALL_TESTS, budget.images, budget.crop),
            f"All strategies: the same backbone ({budget.shape}), photos and optimiser; {budget.steps} steps for "
            f"each task, {len(TASKS) * budget.steps} where four tasks are learned together.",
            *rate_facts(results, rivals.values()),
            *given_facts(budget),
            f"AdaIR, full fine-tuning and the frozen foundation start with {budget.pretrain_steps} more steps, those "
            "of the foundation, which are spent once, whatever the number of tasks.",
            *work_facts(budget),
            "The prompts stand in the backbone of all others; study `baselines` has PromptIR's own network.",
        ],
    )


def work_facts(budget: Budget) -> list[str]:
    """Return what equal total work means, in a line; there is none with a foundation that is given."""
    if budget.foundation:
        return []
    return [
        f"Own networks of *equal total work* get the steps of pre-training too, a {len(TASKS)}th each: "
        f"{equal_work(budget).steps} steps."
    ]


def _costs(results: Results, rival: Method) -> list[object]:
    """Return the columns with the costs of a strategy."""
    networks = rival.networks()
    begun = [networks[0].base] if networks[0].base else []  # all tasks share it
    stored = _stored(networks)
    more = networks[:1] if rival.name != FROZEN else []
    every = [results[one] for one in [*begun, *networks]]
    speeds = [results[scores].costs["seconds"] for scores in rival.scores[0].values()]
    return [
        sum(one.figures["parameters"] for one in every),
        sum(results[one].figures["parameters"] for one in more),
        sum(results[one].figures["bytes"] for one in stored),
        sum(results[one].figures["bytes"] for one in more),
        f"{sum(one.costs['seconds'] for one in every):.0f}",
        f"{_seconds_each(results, networks) if more else 0:.0f}",
        f"{statistics.fmean(speeds):.2f}",
    ]


def _stored(networks: Sequence[Network]) -> list[Network]:
    """Return the networks whose files are needed to restore; adapters also need their foundation."""
    first = networks[0]
    return [first.foundation, *networks] if isinstance(first, Adapted) else list(networks)


def _seconds_each(results: Results, networks: Sequence[Network]) -> float:
    """Return the mean training time of one network, in seconds."""
    return statistics.fmean(results[one].costs["seconds"] for one in networks)


def verdicts(results: Results, rivals: dict[str, Method]) -> list[Verdict]:
    """Return the verdict on each claim of the paper."""
    nothing = results.budget.meaningless

    def judged(claim: str, other: str, margin: float, tests: Sequence[Test] = HARD_TESTS) -> Verdict:
        ours, theirs = (samples(results, rivals[name], tests) for name in (ADAIR, other))
        return compare(claim, ours, theirs, margin, nothing)

    def total(name: str, figure: str, files: bool = False) -> float:
        networks = rivals[name].networks()
        return sum(float(results[one].figures[figure]) for one in (_stored(networks) if files else networks))

    ours, theirs = (_seconds_each(results, rivals[name].networks()) for name in (ADAIR, BOTH))
    claim = f"AdaIR is at most {NEAR} dB worse than own networks of as much work in all, both halves"
    return [
        *([judged(claim, WORK, -NEAR, ALL_TESTS)] if WORK in rivals else []),
        judged(f"AdaIR is at most {NEAR} dB worse than a network of its own for each task, hard halves", BOTH, -NEAR),
        judged(f"The same, easy and hard halves ({NEAR} dB)", BOTH, -NEAR, ALL_TESTS),
        judged(
            f"AdaIR is at most {NEAR} dB worse than specialists of the easy half, easy halves", EASY, -NEAR, EASY_TESTS
        ),
        judged(f"AdaIR is at most {NEAR} dB worse than specialists of the hard half, hard halves", HARD, -NEAR),
        judged("AdaIR beats the shared body with heads and tails, hard halves", HEADS, 0.0),
        judged("AdaIR beats the all-in-one network with prompts, hard halves", PROMPTS, 0.0),
        judged("AdaIR beats the frozen foundation, hard halves", FROZEN, 0.0),
        judged(f"AdaIR is at most {NEAR} dB worse than full fine-tuning, hard halves", TUNED, -NEAR),
        counted(
            "AdaIR trains fewer parameters for its tasks than networks of their own",
            *(total(ADAIR, "parameters"), total(BOTH, "parameters"), "parameters", nothing),
        ),
        counted(
            "AdaIR stores four tasks in fewer bytes than four networks",
            *(total(ADAIR, "bytes", True), total(BOTH, "bytes", True), "bytes", nothing),
        ),
        counted("AdaIR trains one more task in less time, at equal steps", ours, theirs, "seconds", nothing),
    ]


STUDY = Study("strategies", "The four strategies of the paper's Figure 1 on equal terms.", jobs, page)
