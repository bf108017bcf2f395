"""The study of curves: what is trained, and where lines cross."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log2
from typing import TYPE_CHECKING

import pytest

from adair.studies import curves
from adair.studies.budget import BUDGETS
from adair.studies.curves import ADAPTER, FULL, NEW, OWN, crossing, height, reached
from adair.studies.networks import Adapted, Whole
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.verdict import FAILS, HOLDS
from adair.tasks import LABORATORY, MIX, ZOO

if TYPE_CHECKING:
    from adair.studies.tasks import Test


def test_lines_cross_where_the_other_catches_up() -> None:
    flat, steep = [(100.0, 30.0), (400.0, 30.0)], [(100.0, 29.0), (400.0, 31.0)]
    assert crossing(flat, steep) == pytest.approx(200) and crossing(steep, flat) is None
    assert crossing(flat, [(200.0, 29.0), (800.0, 31.0)]) == pytest.approx(400)
    assert crossing(flat, [(500.0, 29.0), (800.0, 31.0)]) is None  # nothing in common
    assert height(steep, 200) == pytest.approx(30)
    assert reached(steep, 30.5) == pytest.approx(100 * 4**0.75) and reached(steep, 28) == 100
    assert reached(steep, 32) is None


def test_new_tasks_are_new() -> None:
    for task in NEW:
        operator = ZOO[task.name].recipe.partition("(")[0]
        assert f"{operator}(" not in LABORATORY and f"{operator}(" not in MIX
        assert [test.name for test in task.tests] == list(ZOO[task.name].validation)


def test_a_way_has_one_rate_and_a_schedule_for_each_length() -> None:
    found = curves.learners(BUDGETS["cpu"], 0)
    lengths = BUDGETS["cpu"].lengths
    assert lengths == (400, 800, 1600, 3200)
    for way in (ADAPTER, FULL, OWN):
        networks = [found[way, steps].networks()[0] for steps in lengths]
        assert all(isinstance(one, Adapted if way == ADAPTER else Whole) for one in networks)
        assert [one.course.steps for one in networks] == list(lengths)  # type: ignore[attr-defined]
        assert len({one.choice for one in networks}) == 1  # type: ignore[attr-defined]
    assert found[OWN, 400].networks()[0].base is None and found[FULL, 400].networks()[0].base is not None


def test_the_page_says_what_the_results_say(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    ways = {scores.network: key for key, one in curves.learners(budget, 0).items() for scores in one.jobs}

    def quality(scores: Scores, test: Test) -> float:
        way, steps = ways[scores.network]  # type: ignore[index]
        return 30 + log2(steps / 400) * {ADAPTER: 0.5, FULL: 0.5, OWN: 1.0}[way] - {OWN: 1.0}.get(way, 0)

    page = curves.page(planted(budget, quality), 0)
    assert [verdict.outcome for verdict in page.verdicts] == [HOLDS, FAILS, HOLDS, HOLDS, HOLDS, FAILS]
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert "| known | from scratch | 1,600 (1,600, 1,600, 1,600) |" in text
    assert "| known | full fine-tuning | nowhere: behind" in text
    assert (
        "| known | from scratch | 35.50 | 3,200 | 0 |" in text and "| known | adapter | 35.50 | not reached |" in text
    )


def test_equal_work_is_judged_where_lengths_allow_it(planted: Callable[..., Results]) -> None:
    budget = replace(BUDGETS["cpu"], pretrain_steps=22_935)
    page = curves.page(planted(budget, lambda scores, test: 30.0), 0)
    assert not any("as much work" in verdict.claim for verdict in page.verdicts)
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert "no common range" in text
