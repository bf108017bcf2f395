"""The rule of verdicts."""

from __future__ import annotations

from adair.studies.page import Page, as_markdown, table
from adair.studies.verdict import FAILS, HOLDS, OPEN, Verdict, compare, counted, joined

BASE = [20.0, 25.0, 30.0, 35.0]


def shifted(by: float, wobble: float = 0.02) -> list[float]:
    return [value + by + wobble * (-1) ** index for index, value in enumerate(BASE)]


def test_clear_differences_decide() -> None:
    assert compare("", [shifted(1)], [BASE]).outcome == HOLDS
    assert compare("", [shifted(-1)], [BASE]).outcome == FAILS
    assert compare("", [shifted(0.05)], [BASE]).outcome == OPEN  # as large as what another seed changes
    assert compare("", [shifted(0.05)], [BASE], retrained=False).outcome == HOLDS


def test_a_margin_moves_what_is_asked() -> None:
    assert compare("", [shifted(-0.5)], [BASE], margin=-1.0).outcome == HOLDS
    assert compare("", [shifted(0.5)], [BASE], margin=1.0).outcome == FAILS


def test_images_that_disagree_leave_it_open() -> None:
    assert compare("", [shifted(0.3, wobble=2.0)], [BASE]).outcome == OPEN
    assert compare("", [[21.0]], [[20.0]]).outcome == OPEN  # one image has no spread


def test_seeds_that_disagree_leave_it_open() -> None:
    near = [shifted(0.5), shifted(0.52), shifted(0.48)]
    apart = [shifted(2.5), shifted(-1.0), shifted(0.0)]
    theirs = [BASE, shifted(0.01), shifted(-0.01)]
    assert compare("", near, theirs).outcome == HOLDS
    assert compare("", apart, theirs).outcome == OPEN


def test_a_smoke_test_decides_nothing() -> None:
    assert compare("", [shifted(9)], [BASE], meaningless=True).outcome == OPEN
    assert counted("", 1, 100, "bytes", meaningless=True).outcome == OPEN


def test_counts() -> None:
    outcomes = [counted("", ours, 100, "bytes").outcome for ours in (90, 99, 101, 110)]
    assert outcomes == [HOLDS, OPEN, OPEN, FAILS]
    assert "0.50 times 10,000" in counted("", 5000, 10000, "bytes").why


def test_one_failure_fails_the_whole() -> None:
    parts = [Verdict("a", HOLDS, ""), Verdict("b", OPEN, ""), Verdict("c", FAILS, "")]
    assert [joined("", parts[:n]).outcome for n in (1, 2, 3)] == [HOLDS, OPEN, FAILS]


def test_a_page_says_what_it_is_worth() -> None:
    page = Page("Title", "Question?", [table(("a", "b"), [("x", 1.0)])], [Verdict("claim", FAILS, "why")], ["rule"])
    text = as_markdown(page, ["fact"], meaningless=True, pictures={})
    assert "Meaningless" in text.splitlines()[2]
    assert "| claim | **does not hold** | why |" in text and "| x | 1.00 |" in text and "- fact" in text
    assert "Meaningless" not in as_markdown(page, [], meaningless=False, pictures={})
