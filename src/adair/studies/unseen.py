"""Study ``unseen``: degradations that no network was trained on, without further training and with a few pairs."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from adair.bench.inputs import Noise, Small, SmallPillow, Source
from adair.bench.protocols import Score
from adair.degradations import parse_recipe
from adair.degradations.nodes import Chain, Maybe, Node, OneOf, Operation, Shuffle
from adair.studies import few_shot, forgetting, strategies
from adair.studies.arms import given_facts
from adair.studies.budget import Budget
from adair.studies.page import Page, table
from adair.studies.plots import heat_map
from adair.studies.scores import protocol
from adair.studies.strategies import ADAIR, BOTH, FROZEN, HEADS, NEAR, PROMPTS, TUNED
from adair.studies.study import Method, Results, Study, mean, psnrs, rate_facts, samples
from adair.studies.tasks import LIGHT_RAIN, RGB, TASKS, Drawn, Test, Y
from adair.studies.training import several
from adair.studies.verdict import Verdict, compare
from adair.studies.workspace import Job

SEEN = "seen"
RIVALS = (BOTH, HEADS, PROMPTS, FROZEN, TUNED)


@dataclass(frozen=True)
class Unseen:
    """A setting that no task learns from; what pre-training had of it, `settings` says.

    Attributes:
        family: in what way it is new.
        task: the task whose network a user would choose.
        test: the setting.
    """

    family: str
    task: str
    test: Test


def _kodak(family: str, task: str, name: str, recipe: str) -> Unseen:
    return Unseen(family, task, Test(name, "Kodak24", Drawn(recipe), Y if task == "derain" else RGB))


def _kernel(kernel: str) -> Unseen:
    return Unseen("other resize kernel", "sr", Test(f"x2 {kernel}", "Set14", SmallPillow(2, kernel), Score("Y", 2)))


UNSEEN = (
    _kodak("other noise", "denoise", "Poisson noise", "poisson(peak=30)"),
    _kodak("other noise", "denoise", "camera noise", "camera(shot=0.01, read=0.01)"),
    _kodak("other noise", "denoise", "salt and pepper", "impulse(amount=0.05)"),
    _kernel("bilinear"),
    _kernel("box"),
    _kernel("lanczos"),
    _kodak("other blur", "deblur", "defocus", "defocus(radius=3)"),
    _kodak("other blur", "deblur", "motion", "motion(length=9, bend=0)"),
    _kodak("other rain angle", "derain", "slanted rain", "rain(amount=0.15..0.3, brightness=0.4..0.9, angle=55..75)"),
    Unseen("stronger", "denoise", Test("noise 75", "Kodak24", Noise(75))),
    Unseen("stronger", "sr", Test("x6", "Set14", Small(6), Score("Y", 6))),
    _kodak("stronger", "deblur", "blur 4.5", "blur(sigma=4.5, kernel=35)"),
    _kodak("stronger", "derain", "downpour", "rain(amount=0.35..0.45, brightness=0.5..0.9)"),
    # Combinations of degradations that training had alone or in other combinations.
    _kodak("mixture", "denoise", "blur + x2 + noise", "blur(sigma=1) > resize(scale=2) > noise(sigma=25, clip=false)"),
    _kodak("mixture", "deblur", "blur + x2", "blur(sigma=1.2) > resize(scale=2)"),
    _kodak("mixture", "derain", "rain + x2", f"{LIGHT_RAIN} > resize(scale=2)"),
    # No task has JPEG artefacts.
    _kodak("mixture with JPEG", "denoise", "noise + JPEG", "noise(sigma=20) > jpeg(quality=50)"),
    _kodak("mixture with JPEG", "denoise", "JPEG twice", "jpeg(quality=40) > jpeg(quality=70, right=3, down=5)"),
    _kodak("mixture with JPEG", "deblur", "blur + JPEG", "blur(sigma=1.6) > jpeg(quality=50)"),
    _kodak("mixture with JPEG", "deblur", "blur + x2 + JPEG", "blur(sigma=1.2) > resize(scale=2) > jpeg(quality=60)"),
    _kodak("mixture with JPEG", "derain", "rain + x2 + JPEG", f"{LIGHT_RAIN} > resize(scale=2) > jpeg(quality=60)"),
)
NEW_OPERATORS = ("other noise", "other blur", "mixture", "mixture with JPEG")  # the other families: new by their values
KNOWN = "known to the foundation"  # what only the networks from scratch have not seen


def settings(budget: Budget) -> tuple[Unseen, ...]:
    """Return all settings; what pre-training had has the family `KNOWN`, and decides no claim."""
    return tuple(
        replace(one, family=KNOWN) if one.family in NEW_OPERATORS and known(one.test.source, budget) else one
        for one in UNSEEN
    )


def unseen(budget: Budget) -> tuple[Unseen, ...]:
    """Return the settings that are new even to the foundation, by the recipe that it was pre-trained on."""
    return tuple(one for one in settings(budget) if one.family != KNOWN)


def known(source: Source, budget: Budget) -> bool:
    """Whether a sample of pre-training can have had all operators of a test, in whatever order and strength."""
    if not isinstance(source, Drawn) or not budget.pretraining:
        return False
    (wanted,) = combinations(parse_recipe(source.recipe).root)
    return any(wanted <= found for found in combinations(parse_recipe(budget.pretraining).root))


def combinations(node: Node) -> list[Counter[str]]:
    """Return the operators, with their number, that a sample can meet at most, for each choice among options.

    >>> combinations(parse_recipe("blur() | noise()?0.5 > jpeg()").root)
    [Counter({'blur': 1}), Counter({'noise': 1, 'jpeg': 1})]
    """
    match node:
        case Operation(operator=operator):
            return [Counter([operator.name])]
        case Maybe(node=inside):
            return combinations(inside)
        case OneOf(options=options):
            return [found for option in options for found in combinations(option)]
        case Chain(parts=parts) | Shuffle(members=parts):
            each = itertools.product(*map(combinations, parts))
            return [sum(found, Counter[str]()) for found in each]


def trained(budget: Budget, seed: int) -> dict[str, Method]:
    """Return the methods of study ``strategies`` on its own tests; their networks are not trained again."""
    every = strategies.methods(budget, seed)
    return {name: every[name] for name in ("input", *RIVALS[:-1], ADAIR, TUNED)}


def retested(budget: Budget, seed: int) -> dict[str, Method]:
    """Return the same networks on unseen degradations."""
    tests = {task.name: tuple(one.test for one in UNSEEN if one.task == task.name) for task in TASKS}

    def again(rival: Method) -> Method:
        seeds = ({task: replace(scores, tests=tests[task]) for task, scores in old.items()} for old in rival.scores)
        return Method(rival.name, tuple(seeds))

    return {name: again(rival) for name, rival in trained(budget, seed).items()}


def jobs(budget: Budget, seed: int) -> list[Job]:
    """The jobs of the page."""
    groups = trained(budget, seed), retested(budget, seed), few_shot.learners(budget, seed)
    scores = [scores for group in groups for one in group.values() for scores in one.jobs]
    return [*scores, *forgetting.jobs(budget, seed)]


def page(results: Results, seed: int) -> Page:
    """What was found."""
    budget = results.budget
    old, new, few = trained(budget, seed), retested(budget, seed), few_shot.learners(budget, seed)
    chosen = settings(budget)
    every = tuple(one.test for one in chosen)
    columns = [psnrs(results, rival, every) for rival in new.values()]
    lines = [
        [one.test.name, one.family, one.task, *row] for one, row in zip(chosen, zip(*columns, strict=True), strict=True)
    ]
    families = {SEEN: {name: mean(results, rival) for name, rival in old.items()}}
    for family in dict.fromkeys(one.family for one in chosen):
        tests = [one.test for one in chosen if one.family == family]
        families[family] = {name: mean(results, rival, tests) for name, rival in new.items()}
    leads = [[row[ADAIR] - row[name] for name in RIVALS] for row in families.values()]
    return Page(
        "Unseen degradations, and few pairs of them",
        "Do a frozen foundation and its adapters restore degradations outside their training better than networks for "
        "one or for all tasks? And given a few pairs of a new degradation, what learns most from them: an "
        "adapter, the whole foundation, or a network from scratch?",
        [
            "### Without further training\n\nPSNR in dB of the networks of study `strategies`. If "
            "there is a network for each task, the one of the named task is used.\n\n"
            + table(("setting", "what is new", "task", *new), lines)
            + f"\nMeans; *{SEEN}*: the eight tests of study `strategies`.\n\n"
            + table(("what is new", *new), [[family, *row.values()] for family, row in families.items()]),
            heat_map("leads", "PSNR of AdaIR minus that of the others, in dB.", list(families), RIVALS, leads),
            "### With a few pairs\n\nPSNR in dB; in brackets the worst and the best draw of pairs.\n\n"
            + table(
                ("degradation", "what learns", *map(several, (0, *budget.pairs))),
                few_shot.rows(results, few),
            ),
            *few_shot.plots(results, few),
            "### What fine-tuning forgets\n\nMean PSNR in dB on the tests of the other three tasks. An adapter leaves "
            "the foundation as it is.\n\n"
            + table(("fine-tuned for", "foundation", "fine-tuned", "difference"), forgetting.rows(results, seed)),
        ],
        [
            *verdicts(results, old, new, [one.test for one in unseen(budget)]),
            *few_shot.verdicts(results, few),
            forgetting.verdict(results, seed),
        ],
        [
            *protocol(results.workspace, (*every, *few_shot.TESTS), budget.images, budget.crop),
            "In pre-training, the foundation has seen more kinds of degradation, and mixtures, than the networks that "
            f"started from scratch. Settings that it has seen are *{KNOWN}* and decide no claim.",
            *rate_facts(results, old.values()),
            *given_facts(budget),
            *not_new(budget),
            *few_shot.facts(results, few),
        ],
    )


def not_new(budget: Budget) -> list[str]:
    """Return which of the few pairs are not new for the foundation, in a line."""
    names = ", ".join(test.name for test in few_shot.TESTS if known(test.source, budget))
    return [f"The foundation was pre-trained with these, so as few pairs they are not new: {names}."] * bool(names)


def verdicts(
    results: Results, old: dict[str, Method], rivals: dict[str, Method], tests: Sequence[Test]
) -> list[Verdict]:
    """Return the verdict on each claim about unseen degradations without further training."""

    def judged(claim: str, other: str, margin: float = 0.0) -> Verdict:
        ours, theirs = (samples(results, rivals[name], tests) for name in (ADAIR, other))
        return compare(f"On what nobody saw, AdaIR {claim}", ours, theirs, margin, results.budget.meaningless)

    def kept(other: str) -> Verdict:
        ours, theirs = (samples(results, rivals[name], tests) for name in (ADAIR, other))
        seen = samples(results, old[ADAIR]), samples(results, old[other])
        claim = f"From seen to unseen, AdaIR keeps more of its quality than {other}"
        return compare(claim, ours, theirs, meaningless=results.budget.meaningless, less=seen)

    return [
        kept(BOTH),
        kept(PROMPTS),
        judged("beats a network of its own for each task", BOTH),
        judged("beats the shared body with heads and tails", HEADS),
        judged("beats the all-in-one network with prompts", PROMPTS),
        judged("beats the frozen foundation", FROZEN),
        judged(f"is at most {NEAR} dB worse than full fine-tuning", TUNED, -NEAR),
    ]


STUDY = Study("unseen", "Degradations outside the training, and few pairs of them.", jobs, page)
