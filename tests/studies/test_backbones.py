"""The study of backbones: equal seconds that are equal, and what it says if they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adair.backbones.registry import NAFNetConfig, RestormerConfig
from adair.studies import STUDIES, backbones
from adair.studies.backbones import PARAMETERS, RESTORMER, SECONDS, settle
from adair.studies.budget import BUDGETS, Budget
from adair.studies.networks import Adapted, Whole
from adair.studies.pace import APART, EqualPace, apart
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.verdict import HOLDS, OPEN
from adair.studies.workspace import Workspace

if TYPE_CHECKING:
    from adair.studies.tasks import Test

FORM = NAFNetConfig(width=20, encoder=(1,), middle=1, decoder=(1,))
JOB = EqualPace(RestormerConfig(width=4, blocks=(1, 1, 1, 1), refinement=0, heads=(1, 1, 1, 1)), FORM, 48)


def test_the_width_with_equal_seconds_is_found(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def measured(job: EqualPace, workspace: Workspace, ours: object, width: int, *rest: object) -> tuple[float, float]:
        tried.append(width)
        return 0.9, 0.001 * width**2

    monkeypatch.setattr(EqualPace, "_measured", measured)
    result = JOB.work(workspace)
    assert result.figures == {"width": 30} and apart(**result.costs) == pytest.approx(0)
    assert len(tried) <= 11 and all(10 <= width <= 40 for width in tried)


def test_both_are_measured(workspace: Workspace) -> None:
    result = JOB.work(workspace)
    assert 10 <= result.figures["width"] <= 40 and all(value > 0 for value in result.costs.values())


def test_a_workspace_measures_once_and_the_width_decides_keys(workspace: Workspace, tiny: Budget) -> None:
    first, again = settle(tiny, workspace), settle(tiny, workspace)
    assert first == again and first.equal_width == workspace.result(backbones.pace(tiny)).figures["width"]
    other = replace(first, equal_width=first.equal_width + 1)
    keys = [workspace.key(backbones.base(one, backbones.shapes(one)[SECONDS], 0)) for one in (first, other)]
    assert keys[0] != keys[1] and backbones.shapes(first)[PARAMETERS] == tiny.backbones[1]
    assert backbones.pace(first) in STUDIES["backbones"].jobs(first, 0)


def test_foundations_have_rates_of_their_own_and_adapters_stand_on_them() -> None:
    budget = BUDGETS["cpu"]
    for frozen, tuned in backbones.methods(budget, 2).values():
        for place in range(budget.seeds):
            (foundation,) = frozen.networks(place)
            assert isinstance(foundation, Whole) and foundation.choice is not None
            assert foundation.course.seed == 2 + place
            assert all(isinstance(one, Adapted) and one.foundation == foundation for one in tuned.networks(place))


@pytest.mark.parametrize(("chosen", "outcome"), [(2.0, HOLDS), (2.0 * (1 + 0.9 * APART), HOLDS), (2.33, OPEN)])
def test_unequal_seconds_decide_nothing(planted: Callable[..., Results], chosen: float, outcome: str) -> None:
    budget = replace(BUDGETS["cpu"], equal_width=40)
    names = {one.network: name for name, both in backbones.methods(budget, 0).items() for one in both[1].jobs}

    def quality(scores: Scores, test: Test) -> float:
        return 30 + (names.get(scores.network) == SECONDS)  # type: ignore[call-overload,no-any-return]

    costs = {"given": 2.0, "chosen": chosen, "seconds": 2.1}
    results = planted(budget, quality, costs, width=40, parameters=1000, bytes=10)
    page = STUDIES["backbones"].report(results, 0)
    assert [verdict.outcome for verdict in page.verdicts] == [OPEN, outcome]
    assert "would decide" not in page.verdicts[1].why
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert f"| {SECONDS} | 1000 | 1000 | 10 | {chosen:.2f} | 2.10 |" in text and f"| {RESTORMER} | " in text
    assert any(f"{chosen:.3f} against 2.000 s a megapixel" in line for line in page.protocol)
