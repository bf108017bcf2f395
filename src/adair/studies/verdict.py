"""Verdicts: whether a claim holds, by one rule, which is stated on every page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
from numpy.typing import NDArray

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decidable at this budget"
EQUAL = 0.05  # of counts and seconds: smaller differences count as none
LEVEL = 0.05  # of significance, within a study
LEAST_SEEDS = 3
MOST_SEEDS = 20  # more are not proposed
POWER = 0.84  # quantile of the normal distribution for four decisions out of five
DRAWS = 4000  # of images
T_DRAWS = 20_000  # of Student's t, so that p is known to a tenth at Holm's strictest level for a dozen claims

RULE = (
    "A claim compares two networks by the differences of their PSNR for each seed and image; every test has the same "
    "weight. The 95 % interval adds up two errors, each with its own Student's t: that of the seeds and that of the "
    f"images (by a bootstrap). A claim {HOLDS} or {FAILS} if its margin lies outside, after Holm's correction for all "
    f"claims of the study at {LEVEL:.0%}, and is {OPEN} otherwise, or if fewer than {LEAST_SEEDS} seeds were trained; "
    "then the number of seeds is given that would decide it, if others spread as these do. Counts and seconds must "
    f"differ by more than {EQUAL:.0%}."
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
        p: two-sided p-value against the margin; None if nothing is tested, as for counts, or with too few seeds.
        gap: distance of the difference from the margin, in dB; None if other seeds would not change it.
        spread: standard deviation of the difference over seeds, in dB.
        noise: standard error of the difference because the images are a sample, in dB.
        seeds: number of seeds that were trained.
        images: number of images of a test.
    """

    claim: str
    outcome: str
    why: str
    p: float | None = None
    gap: float | None = None
    spread: float = 0.0
    noise: float = 0.0
    seeds: int = 0
    images: int = 0


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
    of_seeds, by_images = _bootstrap(_differences(ours, theirs))
    if less is not None:
        others, drawn = _bootstrap(_differences(*less))
        of_seeds, by_images = of_seeds - others, by_images - drawn
    mean, seeds, images = float(of_seeds.mean()), len(ours), min(len(test) for test in ours[0])
    spread = float(of_seeds.std(ddof=1)) if seeds > 1 else 0.0
    noise = float(by_images.std())
    errors = _errors(spread, seeds, noise, images)
    reach = float(np.quantile(errors, 0.95))
    low, high = mean - reach, mean + reach
    p = (float((errors >= abs(mean - margin)).sum()) + 1) / (T_DRAWS + 1)
    enough = not retrained or seeds >= LEAST_SEEDS
    outcome = OPEN
    if not meaningless and enough and images > 1 and p < LEVEL:
        outcome = HOLDS if mean > margin else FAILS
    asked = f"; more than {margin:+.2f} dB asked for" if margin else ""
    few = "" if enough else f"; {seeds} seed{'s' if seeds > 1 else ''} of at least {LEAST_SEEDS}"
    why = f"mean difference {mean:+.2f} dB, 95 % from {low:+.2f} to {high:+.2f}{asked}{few}"
    if images < 2:
        return Verdict(claim, outcome, why)
    tested = p if enough else None  # what cannot be decided must not count among the claims of Holm's correction
    if meaningless or not retrained or seeds < 2:
        return Verdict(claim, outcome, why, tested)
    return Verdict(claim, outcome, why, tested, abs(mean - margin), spread, noise, seeds, images)


def counted(claim: str, ours: float, theirs: float, unit: str, meaningless: bool = False) -> Verdict:
    """Judge the claim that ``ours`` is less than ``theirs``: clearly so if by more than 5 %."""
    outcome = OPEN
    if not meaningless and abs(ours - theirs) > EQUAL * theirs:
        outcome = HOLDS if ours < theirs else FAILS
    ratio = f"{ours / theirs:.2f} times {theirs:,.0f}" if theirs else "where the other needs none"
    return Verdict(claim, outcome, f"{ours:,.0f} {unit}, {ratio}")


def joined(claim: str, parts: Sequence[Verdict]) -> Verdict:
    """Judge the claim that all ``parts`` hold.

    They hold if each does, so the largest p counts. One that fails refutes them all, and is sought among all: its p is
    multiplied by their number (Bonferroni).
    """
    outcomes, tested = {part.outcome for part in parts}, [part.p for part in parts if part.p is not None]
    outcome = FAILS if FAILS in outcomes else OPEN if OPEN in outcomes else HOLDS
    p = max(tested, default=None)
    if outcome == FAILS:
        refuted = [part.p for part in parts if part.outcome == FAILS]
        p = None if None in refuted else min(1.0, len(tested) * min(one for one in refuted if one is not None))
        if p is not None and p >= LEVEL:
            outcome = OPEN
    why = "; ".join(f"{part.claim}: {part.why}" for part in parts)
    whole = Verdict(claim, outcome, why, p)
    # Its price is that of its hardest part; a whole that holds needs one, too, should Holm's correction reopen it.
    priced_parts = [part for part in parts if part.gap and (part.outcome != HOLDS or outcome == HOLDS)]
    if outcome == FAILS or not priced_parts:
        return whole
    hardest = max(priced_parts, key=lambda part: hypot(part.spread, part.noise) / (part.gap or 1.0))
    return replace(
        whole, gap=hardest.gap, spread=hardest.spread, noise=hardest.noise, seeds=hardest.seeds, images=hardest.images
    )


def seeds_needed(verdict: Verdict, claims: int) -> int | None:
    """Return how many seeds would decide one of so many claims, if all seeds spread as those trained; None: too many.

    They would do so four times out of five.

    Args:
        verdict: one with a gap.
        claims: number of claims of the study; the strictest of Holm's steps is asked for.
    """
    assert verdict.gap is not None
    for seeds in range(max(LEAST_SEEDS, verdict.seeds + 1), MOST_SEEDS + 1):
        edge = np.quantile(_errors(verdict.spread, seeds, verdict.noise, verdict.images), 1 - LEVEL / claims)
        if edge + POWER * verdict.spread / seeds**0.5 < verdict.gap:
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


def _errors(spread: float, seeds: int, noise: float, images: int) -> Array:
    """Return `T_DRAWS` draws of how far a mean may lie from the truth, in dB.

    Each of the two errors has a Student's t of its own (Behrens and Fisher), which keeps the level that Holm's
    correction asks for. One t with joint degrees of freedom (Welch and Satterthwaite) errs up to five times as often
    with three seeds. They are too few for a bootstrap: drawn anew, they have ten means, and none beyond those seen.

    Args:
        spread: standard deviation over seeds, in dB.
        seeds: their number.
        noise: standard error because of the images, in dB.
        images: their number in a test.
    """
    generator = np.random.default_rng(0)
    of_seeds = spread / seeds**0.5 * generator.standard_t(max(1, seeds - 1), T_DRAWS)
    errors: Array = np.abs(of_seeds + noise * generator.standard_t(max(1, images - 1), T_DRAWS))
    return errors


def _bootstrap(differences: Sequence[Array]) -> tuple[Array, Array]:
    """Return the mean over tests and images of each seed, and `DRAWS` draws of how the images move the mean, around 0.

    Tests with the same number of images share the draws of images, because they usually show the same photos. Means of
    images drawn anew spread too little, by the factor sqrt((n - 1) / n) of the sample's own variance; it is undone.
    """
    generator = np.random.default_rng(0)  # the same draws for two sides whose difference is asked for
    draws = np.zeros(DRAWS)
    for count in sorted({test.shape[1] for test in differences}):
        drawn = generator.integers(0, count, (DRAWS, count))
        unbiased = (count / max(1, count - 1)) ** 0.5
        for test in differences:
            if test.shape[1] == count:
                images = test.mean(axis=0)
                draws += unbiased * (images[drawn].mean(axis=1) - images.mean()) / len(differences)
    return np.mean([test.mean(axis=1) for test in differences], axis=0), draws
