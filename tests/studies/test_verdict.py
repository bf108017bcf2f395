"""The rule of verdicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adair.studies.page import Page, as_markdown, table
from adair.studies.verdict import FAILS, HOLDS, OPEN, Verdict, compare, counted, holm, joined, seeds_needed

BASE = [20.0, 25.0, 30.0, 35.0]


def shifted(by: float, wobble: float = 0.02) -> list[list[float]]:
    """One seed, one test."""
    return [[value + by + wobble * (-1) ** index for index, value in enumerate(BASE)]]


THREE = [[BASE]] * 3


def test_clear_differences_decide() -> None:
    assert compare("", [shifted(1)] * 3, THREE).outcome == HOLDS
    assert compare("", [shifted(-1)] * 3, THREE).outcome == FAILS
    assert compare("", [shifted(0.005, 0.1)] * 3, THREE).outcome == OPEN


def test_fewer_than_three_seeds_decide_nothing() -> None:
    verdict = compare("", [shifted(1)] * 2, THREE[:2])
    assert verdict.outcome == OPEN and "2 seeds of at least 3" in verdict.why
    given = compare("", [shifted(1)], THREE[:1], retrained=False)
    assert given.outcome == HOLDS
    # What cannot be decided asks nothing more of the others.
    assert verdict.p is None and holm([given, *[verdict] * 20])[0].outcome == HOLDS


def test_a_margin_moves_what_is_asked() -> None:
    assert compare("", [shifted(-0.5)] * 3, THREE, margin=-1.0).outcome == HOLDS
    assert compare("", [shifted(0.5)] * 3, THREE, margin=1.0).outcome == FAILS


def test_images_that_disagree_leave_it_open() -> None:
    assert compare("", [shifted(0.3, wobble=2.0)] * 3, THREE).outcome == OPEN
    single = compare("", [[[21.0]]] * 3, [[[20.0]]] * 3)  # one image has no spread
    assert single.outcome == OPEN and single.p is None


def test_the_error_of_a_few_images_is_unbiased() -> None:
    ours = [[[20.0, 21.0, 23.0], [30.0, 31.5, 31.0]]] * 3
    verdict = compare("", ours, [[[20.0] * 3, [30.0] * 3]] * 3)
    together = np.array([0.0, 2.5, 4.0])  # sums over both tests, which show the same images
    assert verdict.noise == pytest.approx(np.std(together / 2, ddof=1) / 3**0.5, rel=0.05)


def test_seeds_that_disagree_leave_it_open() -> None:
    near = [shifted(0.5), shifted(0.52), shifted(0.48)]
    apart = [shifted(2.5), shifted(-1.0), shifted(0.0)]
    assert compare("", near, THREE).outcome == HOLDS
    assert compare("", apart, THREE).outcome == OPEN


def test_every_test_weighs_the_same() -> None:
    ours = [[[21.0] * 2, [19.0] * 20]] * 3
    verdict = compare("", ours, [[[20.0] * 2, [20.0] * 20]] * 3)
    assert "mean difference +0.00 dB" in verdict.why


def test_what_a_lead_keeps() -> None:
    """A lead of 1 dB on what was seen and of 1.5 elsewhere: 0.5 more; a lead that is the same everywhere keeps none."""
    seen = [shifted(1)] * 3, THREE
    assert "mean difference +0.50 dB" in compare("", [shifted(1.5)] * 3, THREE, less=seen).why
    assert compare("", [shifted(1, 0.1)] * 3, THREE, less=seen).outcome == OPEN


def test_intervals_cover_the_truth() -> None:
    """Of networks that are equally good, at most about one in twenty is called better or worse."""
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        seeds, images = generator.normal(0, 0.1, (3, 1, 1)), generator.normal(0, 0.3, (1, 2, 24))
        ours = seeds + images + generator.normal(0, 0.05, (3, 2, 24))
        wrong += compare("", ours.tolist(), np.zeros((3, 2, 24)).tolist()).outcome != OPEN
    assert wrong <= 16


def test_holm_keeps_its_level_with_three_seeds() -> None:
    """Of studies whose twelve claims are all about nothing, about one in twenty decides any."""
    generator = np.random.default_rng(0)
    zero = np.zeros((3, 1, 24)).tolist()

    def claim() -> Verdict:
        ours = generator.normal(0, 0.05, (3, 1, 1)) + generator.normal(0, 0.1, (1, 1, 24)) + np.zeros((3, 1, 24))
        return compare("", ours.tolist(), zero)

    wrong = sum(any(one.outcome != OPEN for one in holm([claim() for _ in range(12)])) for _ in range(30))
    assert wrong <= 3


def test_an_open_claim_has_its_price() -> None:
    """With s = 0.3 over seeds and a gap of 0.5 dB, three seeds are too few; their number falls with the spread."""
    seeds = [shifted(0.2), shifted(0.5), shifted(0.8)]
    (verdict,) = holm([compare("", seeds, THREE)])
    assert verdict.outcome == OPEN and verdict.spread == pytest.approx(0.3) and verdict.gap == pytest.approx(0.5)
    assert seeds_needed(verdict, 1) == 5 and verdict.why.endswith("; 5 seeds would decide it")
    assert seeds_needed(verdict, 12) == 9
    assert seeds_needed(replace(verdict, spread=0.2), 1) == 4
    close = holm([compare("", [shifted(-0.3), shifted(0.01), shifted(0.3)], THREE)])[0]
    assert close.why.endswith("too close to be decided with 20 seeds")
    assert "would" not in holm([compare("", [shifted(1)] * 3, THREE)])[0].why
    assert compare("", [shifted(1)], THREE[:1]).gap is None and compare("", seeds, THREE, meaningless=True).gap is None


def test_a_claim_of_several_parts_has_the_price_of_the_hardest() -> None:
    easy, hard = (compare("", [shifted(value * 1.0), shifted(0.5), shifted(1 - value)], THREE) for value in (0.3, 0.1))
    (verdict,) = holm([joined("", [easy, hard])])
    assert (verdict.gap, verdict.spread) == (hard.gap, hard.spread) and verdict.why.endswith("seeds would decide it")
    holding = compare("", [shifted(1), shifted(1.3), shifted(0.7)], THREE)
    several = [joined("", [holding, holding]), *[Verdict("", OPEN, "", 0.5)] * 200]
    assert holding.outcome == HOLDS and "seeds would decide it" in holm(several)[0].why  # reopened, so it needs a price


def test_as_many_seeds_as_it_says_decide() -> None:
    """Of studies with that many seeds, most decide a claim whose gap and spread are those that were measured."""
    generator, spread, gap = np.random.default_rng(1), 0.1, 0.25
    needed = seeds_needed(Verdict("", OPEN, "", 1.0, gap, spread, 0.0, 3), 1)
    assert needed is not None

    def decided(seeds: int) -> int:
        found = [gap + generator.normal(0, spread, (seeds, 1, 1)) + np.zeros((seeds, 1, 12)) for _ in range(60)]
        return sum(compare("", ours.tolist(), (0 * ours).tolist()).outcome == HOLDS for ours in found)

    assert decided(needed + 2) >= 50 and decided(needed + 2) > decided(3)


def test_holm_asks_more_of_many_claims() -> None:
    several = [Verdict("a", HOLDS, "", 0.001), Verdict("b", HOLDS, "", 0.04), Verdict("c", FAILS, "", 0.03)]
    several.append(Verdict("d", HOLDS, "bytes"))
    assert [one.outcome for one in holm(several)] == [HOLDS, OPEN, OPEN, HOLDS]
    assert [one.outcome for one in holm(several[:2])] == [HOLDS, HOLDS]
    assert "Holm's correction for 3 claims" in holm(several)[1].why


def test_a_smoke_test_decides_nothing() -> None:
    assert compare("", [shifted(9)] * 3, THREE, meaningless=True).outcome == OPEN
    assert counted("", 1, 100, "bytes", meaningless=True).outcome == OPEN


def test_counts() -> None:
    outcomes = [counted("", ours, 100, "bytes").outcome for ours in (90, 99, 101, 110)]
    assert outcomes == [HOLDS, OPEN, OPEN, FAILS]
    assert "0.50 times 10,000" in counted("", 5000, 10000, "bytes").why


def test_one_failure_fails_the_whole() -> None:
    parts = [Verdict("a", HOLDS, ""), Verdict("b", OPEN, ""), Verdict("c", FAILS, "")]
    assert [joined("", parts[:n]).outcome for n in (1, 2, 3)] == [HOLDS, OPEN, FAILS]


def test_a_whole_is_rarely_refuted_by_chance() -> None:
    """Of four parts that are all about nothing, the one that fails by chance must not refute the whole too often."""
    generator = np.random.default_rng(3)

    def part() -> Verdict:
        ours = generator.normal(0, 0.1, (3, 1, 1)) + generator.normal(0, 0.2, (3, 1, 8))
        return compare("", ours.tolist(), np.zeros_like(ours).tolist())

    wholes = [joined("", [part() for _ in range(4)]) for _ in range(150)]
    assert sum(whole.outcome == FAILS for whole in wholes) <= 3
    failing = Verdict("a", FAILS, "", 0.01, 0.3, 0.1, 0.1, 3, 8)
    assert joined("", [failing, Verdict("b", HOLDS, "", 0.001)]).p == pytest.approx(0.02)
    unsure = joined("", [failing, *[Verdict("b", HOLDS, "", 0.001)] * 5])
    assert unsure.outcome == OPEN and unsure.gap == 0.3


def test_a_page_says_what_it_is_worth() -> None:
    page = Page("Title", "Question?", [table(("a", "b"), [("x", 1.0)])], [Verdict("claim", FAILS, "why")], ["rule"])
    text = as_markdown(page, ["fact"], meaningless=True, pictures={})
    assert "Meaningless" in text.splitlines()[2]
    assert "| claim | **does not hold** | why |" in text and "| x | 1.00 |" in text and "- fact" in text
    assert "Meaningless" not in as_markdown(page, [], meaningless=False, pictures={})
