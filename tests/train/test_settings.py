from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adair.errors import AdairError
from adair.train.settings import RunSettings, Schedule


def test_warms_up_holds_and_falls_to_zero() -> None:
    schedule = Schedule(1e-3, warmup=10, hold=0.5)
    assert schedule.rate(0, 0.0) == pytest.approx(1e-4)
    assert schedule.rate(9, 0.1) == pytest.approx(1e-3)
    assert schedule.rate(100, 0.5) == pytest.approx(1e-3)
    assert schedule.rate(100, 0.75) == pytest.approx(5e-4)
    assert schedule.rate(100, 1.0) == pytest.approx(0.0)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_never_rises_after_the_warmup(hold: float, first: float, second: float) -> None:
    schedule = Schedule(1e-3, warmup=1, hold=hold)
    early, late = sorted((first, second))
    assert schedule.rate(5, early) >= schedule.rate(5, late) >= 0


def test_a_short_run_rises_within_its_first_tenth() -> None:
    schedule = Schedule(1e-3, warmup=100, hold=0.5)
    assert schedule.rate(0, 0.0) == pytest.approx(1e-5)
    assert schedule.rate(2, 0.05) == pytest.approx(5e-4)
    assert schedule.rate(5, 0.1) == pytest.approx(1e-3)
    assert schedule.rate(50, 0.01) == pytest.approx(5.1e-4)  # a long run rises as its steps go


def test_holding_throughout_never_falls() -> None:
    assert Schedule(1e-3, warmup=1, hold=1).rate(7, 1.0) == 1e-3


@pytest.mark.parametrize(("peak", "hold"), [(0, 0), (2, 0), (1e-3, -0.1), (1e-3, 1.1)])
def test_refuses_nonsense(peak: float, hold: float) -> None:
    with pytest.raises(AdairError, match="outside"):
        Schedule(peak, hold=hold)


def test_patches_grow_with_progress(make_settings: Callable[..., RunSettings]) -> None:
    settings = make_settings(patches=((0.0, 16), (0.5, 32)))
    assert [settings.patch(p) for p in (0, 0.49, 0.5, 1)] == [16, 16, 32, 32]


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"batch": 0},
        {"by_time": True},
        {"max_minutes": 0.0},
        {"max_minutes": float("nan")},
        {"minutes": -1.0},
        {"seed": 10**22},
        {"patches": ((0.0, 8),)},
        {"average": 1.0},
    ],
)
def test_refuses_settings_that_cannot_be(make_settings: Callable[..., RunSettings], change: dict[str, Any]) -> None:
    with pytest.raises(AdairError):
        make_settings(**change)
