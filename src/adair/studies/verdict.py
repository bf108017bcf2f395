"""Verdicts: whether a claim holds, by one rule that is stated on every page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decidable at this budget"
SEED_SPREAD = 0.05  # dB: what another seed may change in a mean, where only one was trained
EQUAL = 0.05  # of counts and seconds: what counts as no difference
SURE = 2.0  # spreads that a difference must exceed

RULE = (
    f"A claim compares two networks image by image. It {HOLDS} if the mean difference lies more than {SURE:g} spreads "
    f"beyond what it asks for, {FAILS} if it lies as far on the other side, and is {OPEN} in between. The spread joins "
    "the standard error over the images and that over the seeds (where only one was trained, "
    f"{SEED_SPREAD:g} dB are assumed for each network). Counts and seconds must differ by more than {EQUAL:.0%}."
)

Samples = Sequence[Sequence[float]]  # PSNR in dB: for each seed, each image


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes:
        claim: in words.
        outcome: `HOLDS`, `FAILS` or `OPEN`.
        why: the numbers behind it.
    """

    claim: str
    outcome: str
    why: str


def compare(
    claim: str,
    ours: Samples,
    theirs: Samples,
    margin: float = 0.0,
    meaningless: bool = False,
    retrained: bool = True,
) -> Verdict:
    """Judge the claim that ``ours`` is more than ``margin`` dB better than ``theirs``.

    Args:
        claim: in words.
        ours, theirs: PSNR for each seed, each image; the same images in the same order.
        margin: dB; below zero, the claim is that we are at most so much worse.
        meaningless: nothing can be decided from a smoke test.
        retrained: whether each was trained on its own; what comes from one training has no spread over seeds.
    """
    difference = [a - b for a, b in zip(_over_seeds(ours), _over_seeds(theirs), strict=True)]
    mean = statistics.fmean(difference)
    images = statistics.stdev(difference) / math.sqrt(len(difference)) if len(difference) > 1 else math.inf
    seeds = (_seed_error(ours), _seed_error(theirs)) if retrained else ()
    spread = math.hypot(images, *seeds)
    beyond = mean - margin
    outcome = OPEN
    if not meaningless and abs(beyond) > SURE * spread:
        outcome = HOLDS if beyond > 0 else FAILS
    asked = f"; more than {margin:+.2f} dB asked for" if margin else ""
    return Verdict(claim, outcome, f"mean difference {mean:+.2f} dB, spread {spread:.2f} dB{asked}")


def counted(claim: str, ours: float, theirs: float, unit: str, meaningless: bool = False) -> Verdict:
    """Judge the claim that ``ours`` is less than ``theirs``: clearly so if by more than 5 %."""
    outcome = OPEN
    if not meaningless and abs(ours - theirs) > EQUAL * theirs:
        outcome = HOLDS if ours < theirs else FAILS
    ratio = f"{ours / theirs:.2f} times" if theirs else "beside"
    return Verdict(claim, outcome, f"{ours:,.0f} {unit}, {ratio} {theirs:,.0f}")


def joined(claim: str, parts: Sequence[Verdict]) -> Verdict:
    """Judge the claim that all of ``parts`` hold."""
    outcomes = {part.outcome for part in parts}
    outcome = FAILS if FAILS in outcomes else OPEN if OPEN in outcomes else HOLDS
    return Verdict(claim, outcome, "; ".join(f"{part.claim}: {part.why}" for part in parts))


def _over_seeds(samples: Samples) -> list[float]:
    """Mean of each image."""
    return [statistics.fmean(values) for values in zip(*samples, strict=True)]


def _seed_error(samples: Samples) -> float:
    """Standard error of the mean over the seeds."""
    if len(samples) < 2:
        return SEED_SPREAD
    return statistics.stdev(map(statistics.fmean, samples)) / math.sqrt(len(samples))
