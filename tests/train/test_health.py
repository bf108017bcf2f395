from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.train.health import SETTLE, WINDOW, Health

CPU = torch.device("cpu")


def run(health: Health, losses: list[float], norm: float = 0.1) -> list[str]:
    """Feed losses; return what was found wrong at the end of each window."""
    found = []
    for step, loss in enumerate(losses, 1):
        health.add(torch.tensor(loss), torch.tensor(norm))
        if step % WINDOW == 0:
            found.append(health.look())
    return [fault for fault in found if fault]


@given(st.lists(st.floats(0.005, 0.03), min_size=WINDOW * 8, max_size=WINDOW * 8))
@settings(deadline=None, max_examples=5)
def test_noisy_losses_are_no_alarm(losses: list[float]) -> None:
    assert run(Health(CPU), losses) == []


def test_nan_and_infinity_are_found_at_once() -> None:
    for loss, norm in ((float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan")), (1.0, float("inf"))):
        health = Health(CPU)
        health.add(torch.tensor(0.1), torch.tensor(0.1))
        health.add(torch.tensor(loss), torch.tensor(norm))
        assert health.look()


def test_growth_is_found_and_forgotten_on_demand() -> None:
    health = Health(CPU)
    calm = [0.02] * WINDOW * SETTLE
    assert run(health, calm) == []
    assert health.good
    assert run(health, [0.035] * WINDOW) == []
    assert not health.good  # not yet wrong, but not worth keeping either
    assert "grown" in run(health, [0.2] * WINDOW)[0]
    health.forget()
    assert run(health, calm) == []
    assert "norm" in run(health, [0.02] * WINDOW, norm=50.0)[0]


def test_the_loss_is_the_mean_of_the_window() -> None:
    health = Health(CPU)
    assert health.look() is None
    for loss in (1.0, 2.0, 6.0):
        health.add(torch.tensor(loss), torch.tensor(1.0))
    assert health.look() is None
    assert health.loss == 3.0
