"""The second half of study ``unseen``: learning a new degradation from a few pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adair.studies.arms import foundation
from adair.studies.budget import Budget
from adair.studies.networks import Adapted, Network, Whole
from adair.studies.page import Plot
from adair.studies.plots import scatter
from adair.studies.scores import Scores
from adair.studies.strategies import FROZEN, NEAR
from adair.studies.study import Method, Results, mean, rate_facts, samples, tuned
from adair.studies.tasks import Drawn, Test
from adair.studies.training import FewPairs, several
from adair.studies.verdict import Verdict, compare, joined

# A degradation that no network was trained on, and one that a user's own device might cause.
RECIPES = {
    "motion blur": "motion(length=10, bend=0)",
    "cheap camera": "defocus(radius=2) > camera(shot=0.008, read=0.01) > jpeg(quality=40)",
}
TESTS = tuple(Test(name, "Kodak24", Drawn(recipe)) for name, recipe in RECIPES.items())
INPUT = "input"
ADAPTER, FULL, OWN = WAYS = ("adapter", "full fine-tuning", "from scratch")

Learners = dict[tuple[str, int], Method]


def learner(budget: Budget, seed: int, way: str, recipe: str, pairs: int) -> Network:
    """Return a network that learns from a number of pairs of a degradation, in one of `WAYS`."""
    lessons = budget.pair_steps, budget.batch, budget.patch, budget.rate if way == OWN else budget.rate_on
    course = FewPairs((recipe,), *lessons, seed=seed, pairs=pairs, side=budget.crop)
    base = foundation(budget, seed)
    if way == ADAPTER:
        return Adapted(course, base, "merge", tuple(sorted(budget.adapter.items())))
    return Whole(course, budget.shape, base if way == FULL else None)


def learners(budget: Budget, seed: int) -> Learners:
    """Return all ways to learn, by name and number of pairs; with 0 pairs, the input and the starting points."""
    seeds = range(seed, seed + budget.seeds)

    def judged(name: str, networks: Sequence[Mapping[str, Network | None]]) -> Method:
        scores = (
            {test.name: Scores(one[test.name], (test,), budget.images, budget.crop) for test in TESTS}
            for one in networks
        )
        return Method(name, tuple(scores))

    found = {
        (INPUT, 0): judged(INPUT, [dict.fromkeys(RECIPES) for _ in seeds]),
        (FROZEN, 0): judged(FROZEN, [dict.fromkeys(RECIPES, foundation(budget, one)) for one in seeds]),
    }
    for way in WAYS:
        for pairs in budget.pairs:
            networks = [
                {name: learner(budget, one, way, recipe, pairs) for name, recipe in RECIPES.items()} for one in seeds
            ]
            found[way, pairs] = tuned(budget, judged(way, networks))
    return found


def rows(results: Results, few: Learners) -> list[list[object]]:
    """Return a row for each degradation and way: PSNR in dB with 0 pairs, and with each number of pairs.

    Every seed draws other pairs; of what learns from them the lowest and the highest mean are given too.
    """
    counts = (0, *results.budget.pairs)
    return [
        [test.name, way, *(_spread(results, few[way, n], test) if (way, n) in few else None for n in counts)]
        for test in TESTS
        for way in (INPUT, FROZEN, *WAYS)
    ]


def _spread(results: Results, learner: Method, test: Test) -> str:
    each = [results.psnr(scores, test) for scores in learner.of(test)]
    text = f"{mean(results, learner, [test]):.2f}"
    return text if learner.name in (INPUT, FROZEN) else f"{text} ({min(each):.2f} to {max(each):.2f})"


def plots(results: Results, few: Learners) -> list[Plot]:
    """Return plots of PSNR over the number of pairs, one for each degradation."""
    found = []
    for test in TESTS:
        curves = {way: [(n, mean(results, few[way, n], [test])) for n in results.budget.pairs] for way in WAYS}
        lines = {name: mean(results, few[name, 0], [test]) for name in (INPUT, FROZEN)}
        caption = f"PSNR of {test.name} over the number of pairs learnt from."
        file = f"pairs-{test.name.replace(' ', '-')}"
        found.append(scatter(file, caption, curves, ("pairs", "PSNR in dB"), lines))
    return found


def verdicts(results: Results, few: Learners) -> list[Verdict]:
    """Return the verdict on each claim."""
    first, *_, last = results.budget.pairs

    def judged(claim: str, pairs: int, other: tuple[str, int], margin: float = 0.0) -> Verdict:
        ours, theirs = (samples(results, few[name], TESTS) for name in ((ADAPTER, pairs), other))
        return compare(claim, ours, theirs, margin, results.budget.meaningless)

    close = f"With {several(last)}, an adapter is at most {NEAR} dB worse than full fine-tuning"
    return [
        judged("One pair is enough for an adapter to beat the frozen foundation", first, (FROZEN, 0)),
        judged("With one pair, an adapter beats full fine-tuning", first, (FULL, first)),
        judged(close, last, (FULL, last), -NEAR),
        joined(
            "With any number of pairs, an adapter beats a network from scratch",
            [judged(several(count), count, (OWN, count)) for count in results.budget.pairs],
        ),
    ]


def facts(results: Results, few: Learners) -> list[str]:
    """Return the protocol, as lines."""
    budget = results.budget
    named = (replace(few[way, n], name=f"{way} with {several(n)}") for way in WAYS for n in budget.pairs)
    return [
        f"A pair: the centre of {budget.crop}x{budget.crop} pixels of a training photo, degraded once, in 8 bits; the "
        f"photos of few pairs are also among those of more. {budget.seeds} draws of pairs, one for each seed.",
        f"Networks that learn from pairs: {budget.pair_steps} steps on patches of them, whatever their number.",
        *rate_facts(results, named),
    ]
