"""Verdicts: whether a claim holds, by one rule, which is stated on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decidable at this budget"
EQUAL = 0.05  # of counts and seconds: smaller differences count as none
LEVEL = 0.05  # of significance, within a study
LEAST_SEEDS = 3
MOST_SEEDS = 20  # more are not proposed
POWER = 0.84  # quantile of the normal distribution for four decisions out of five
DRAWS = 4000
# 97.5 % quantiles of Student's t by degrees of freedom; beyond them, that of the normal distribution.
_STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
_NORMAL = 1.96

RULE = (
    "A claim compares two networks by the differences of their PSNR for each seed and image; every test has the same "
    f"weight. The interval is that of a hierarchical bootstrap over seeds and images ({DRAWS} draws, 95 %; the part of "
    f"the seeds is widened by Student's t for their number). A claim {HOLDS} or {FAILS} if its margin lies outside, "
    f"after Holm's correction for all claims of the study at {LEVEL:.0%}, and is {OPEN} otherwise, or if fewer than "
    f"{LEAST_SEEDS} seeds were trained; then the number of seeds is given that would decide it, if others spread as "
    f"these do. Counts and seconds must differ by more than {EQUAL:.0%}."
)

Samples = Sequence[Sequence[Sequence[float]]]  # PSNR in dB: for each seed, each test, each image
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim.

    Attributes:
        claim: the claim as text.
        outcome: `HOLDS`, `FAILS` or `OPEN`.
        why: the numbers behind the outcome.
        p: two-sided p-value against the margin; None if nothing is tested, as for counts.
        gap: distance of the difference from the margin, in dB; None if other seeds would not change it.
        spread: standard deviation of the difference over seeds, in dB.
        noise: standard error of the difference because the images are a sample, in dB.
        seeds: number of seeds that were trained.
    """

    claim: str
    outcome: str
    why: str
    p: float | None = None
    gap: float | None = None
    spread: float = 0.0
    noise: float = 0.0
    seeds: int = 0


def compare(
    claim: str,
    ours: Samples,
    theirs: Samples,
    margin: float = 0.0,
    meaningless: bool = False,
    retrained: bool = True,
    less: tuple[Samples, Samples] | None = None,
) -> Verdict:
    """Judge the claim that ``ours`` is more than ``margin`` dB better than ``theirs``.

    Args:
        claim: the claim as text.
        ours, theirs: PSNR of the same seeds, tests and images in the same order.
        margin: dB; if negative, the claim is that ours is at most this much worse.
        meaningless: whether this is a smoke test, which cannot decide anything.
        retrained: whether each seed was trained separately; a single training has no spread over seeds.
        less: ours and theirs on other tests, whose difference is subtracted: how much of a lead is kept.
    """
    of_seeds, draws = _bootstrap(_differences(ours, theirs))
    if less is not None:
        others, drawn = _bootstrap(_differences(*less))
        of_seeds, draws = of_seeds - others, draws - drawn
    mean = float(of_seeds.mean())
    low, high = (float(value) for value in np.quantile(draws, (0.025, 0.975)))
    below, above = int((draws <= margin).sum()), int((draws >= margin).sum())
    p = min(1.0, 2 * (min(below, above) + 1) / (len(draws) + 1))
    seeds, enough = len(ours), not retrained or len(ours) >= LEAST_SEEDS
    several_images = any(len(images) > 1 for images in ours[0])
    outcome = OPEN
    if not meaningless and enough and several_images and p < LEVEL:
        outcome = HOLDS if mean > margin else FAILS
    asked = f"; more than {margin:+.2f} dB asked for" if margin else ""
    few = "" if enough else f"; {seeds} seed{'s' if seeds > 1 else ''} of at least {LEAST_SEEDS}"
    why = f"mean difference {mean:+.2f} dB, 95 % from {low:+.2f} to {high:+.2f}{asked}{few}"
    if meaningless or not retrained or seeds < 2 or not several_images:
        return Verdict(claim, outcome, why, p)
    spread = float(of_seeds.std(ddof=1))
    noise = max(0.0, float(draws.var()) - (_widened(seeds) * spread) ** 2 / seeds) ** 0.5
    return Verdict(claim, outcome, why, p, abs(mean - margin), spread, noise, seeds)


def counted(claim: str, ours: float, theirs: float, unit: str, meaningless: bool = False) -> Verdict:
    """Judge the claim that ``ours`` is less than ``theirs``: clearly so if by more than 5 %."""
    outcome = OPEN
    if not meaningless and abs(ours - theirs) > EQUAL * theirs:
        outcome = HOLDS if ours < theirs else FAILS
    ratio = f"{ours / theirs:.2f} times {theirs:,.0f}" if theirs else "where the other needs none"
    return Verdict(claim, outcome, f"{ours:,.0f} {unit}, {ratio}")


def joined(claim: str, parts: Sequence[Verdict]) -> Verdict:
    """Judge the claim that all ``parts`` hold."""
    outcomes = {part.outcome for part in parts}
    outcome = FAILS if FAILS in outcomes else OPEN if OPEN in outcomes else HOLDS
    decisive = [part.p for part in parts if part.p is not None and (outcome != FAILS or part.outcome == FAILS)]
    why = "; ".join(f"{part.claim}: {part.why}" for part in parts)
    whole = Verdict(claim, outcome, why, max(decisive, default=None))
    undecided = [
        (hypot(part.spread, part.noise) / part.gap, part) for part in parts if part.outcome == OPEN and part.gap
    ]
    if outcome != OPEN or not undecided:
        return whole
    _, hardest = max(undecided, key=lambda one: one[0])
    return replace(whole, gap=hardest.gap, spread=hardest.spread, noise=hardest.noise, seeds=hardest.seeds)


def seeds_needed(verdict: Verdict, claims: int) -> int | None:
    """Return how many seeds would decide one of so many claims, if all seeds spread as those trained; None: too many.

    They would do so four times out of five.

    Args:
        verdict: one with a gap.
        claims: number of claims of the study; the strictest of Holm's steps is asked for.
    """
    assert verdict.gap is not None
    strict = NormalDist().inv_cdf(1 - LEVEL / (2 * claims))
    for seeds in range(max(LEAST_SEEDS, verdict.seeds + 1), MOST_SEEDS + 1):
        error = verdict.spread / seeds**0.5
        if strict * hypot(_widened(seeds) * error, verdict.noise) + POWER * error < verdict.gap:
            return seeds
    return None


def priced(verdict: Verdict, claims: int) -> Verdict:
    """Return an open verdict with what it would take to decide it, and any other as it is."""
    if verdict.outcome != OPEN or verdict.gap is None:
        return verdict
    seeds = seeds_needed(verdict, claims)
    price = f"{seeds} seeds would decide it" if seeds else f"too close to be decided with {MOST_SEEDS} seeds"
    return replace(verdict, why=f"{verdict.why}; {price}")


def holm(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Keep only decisions that Holm's procedure confirms among all tested claims of a study, and price the others."""
    tested = sorted((verdict.p, index) for index, verdict in enumerate(verdicts) if verdict.p is not None)
    kept = list(verdicts)
    rejecting = True
    for rank, (p, index) in enumerate(tested):
        rejecting = rejecting and p * (len(tested) - rank) < LEVEL
        if not rejecting and kept[index].outcome != OPEN:
            why = f"{kept[index].why}; not beyond Holm's correction for {len(tested)} claims"
            kept[index] = replace(kept[index], outcome=OPEN, why=why)
    return [priced(verdict, len(tested)) for verdict in kept]


def _differences(ours: Samples, theirs: Samples) -> list[Array]:
    """Return ours minus theirs for each test, as an array of (seeds, images)."""
    tests = range(len(ours[0]))
    return [np.array([np.subtract(a[t], b[t]) for a, b in zip(ours, theirs, strict=True)]) for t in tests]


def _widened(seeds: int) -> float:
    """Return how much wider than that of a normal distribution an interval is for so few seeds (Student's t)."""
    return _STUDENT.get(seeds - 1, _NORMAL) / _NORMAL


def _bootstrap(differences: Sequence[Array]) -> tuple[Array, Array]:
    """Return the mean over tests and images of each seed, and `DRAWS` bootstrap draws of their mean.

    Tests with the same number of images share the draws of images, because they usually show the same photos.
    """
    seeds = len(differences[0])
    of_seeds = np.mean([test.mean(axis=1) for test in differences], axis=0)
    mean = float(of_seeds.mean())
    generator = np.random.default_rng(0)  # the same draws of seeds for everything with the same number of seeds
    draws = np.full(DRAWS, mean)
    if seeds > 1:
        wide = (seeds / (seeds - 1)) ** 0.5 * _widened(seeds)
        draws += wide * (of_seeds[generator.integers(0, seeds, (DRAWS, seeds))].mean(axis=1) - mean)
    for count in sorted({test.shape[1] for test in differences}):
        drawn = generator.integers(0, count, (DRAWS, count))
        for test in differences:
            if test.shape[1] == count:
                images = test.mean(axis=0)
                draws += (images[drawn].mean(axis=1) - images.mean()) / len(differences)
    return of_seeds, draws
