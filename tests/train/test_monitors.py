from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import nn

from adair.errors import AdairError
from adair.train.monitors import SETTLE, WINDOW, EarlyStopping, LossMonitor
from adair.train.photos import PhotoStore
from adair.train.settings import RunSettings
from adair.train.state import TrainState
from adair.train.trainer import Trainer
from adair.train.validation import make_validation_sets

MakeSettings = Callable[..., RunSettings]


def after(stopping: EarlyStopping, state: TrainState, value: float) -> TrainState:
    """Ten steps later, with a mean PSNR of ``value``."""
    return stopping.update(replace(state, step=state.step + 10, psnr={"a": value - 1, "b": value + 1}))


def test_the_best_is_kept_and_patience_ends() -> None:
    average = {"w": torch.zeros(2)}
    stopping, state = EarlyStopping(average, 2), TrainState()
    for value in (20.0, 25.0, 24.95, 24.0):
        average["w"].fill_(value)
        state = after(stopping, state, value)
        assert not stopping.over
    assert stopping.weights["w"].tolist() == [25.0, 25.0]
    assert state.best_step == 20
    state = after(stopping, state, 24.0)
    assert stopping.over
    assert [step for step, _ in state.history] == [10, 20, 30, 40, 50]


def test_a_plateau_is_no_end() -> None:
    stopping, state = EarlyStopping({"w": torch.zeros(2)}, 2), TrainState()
    for _ in range(9):
        state = after(stopping, state, 25.0)
    assert not stopping.over


def test_without_patience_nothing_is_kept() -> None:
    stopping, state = EarlyStopping({"w": torch.zeros(2)}, 0), TrainState()
    for value in (25.0, 20.0, 15.0):
        state = after(stopping, state, value)
    assert not stopping.over and not stopping.weights and not state.history


def drifting(settings: RunSettings, photos: PhotoStore, path: Path) -> tuple[Trainer, nn.Parameter]:
    """Training that leads away: validation is best where the weight is 1, and the loss pulls it beyond."""
    weight = nn.Parameter(torch.tensor([0.5]))
    sets = make_validation_sets(photos.subset([0]), {"same": "noise(sigma=0)"}, torch.device("cpu"))
    sets = {"same": (sets["same"][0], sets["same"][0])}
    trainer = Trainer(lambda x: x * weight, {"w": weight}, settings, photos, sets, path, {})
    return trainer, weight


def test_a_run_that_gets_worse_stops_and_its_result_is_the_best(
    make_settings: MakeSettings, photos: PhotoStore, tmp_path: Path
) -> None:
    recipe = "lowlight(exposure=0.25)"  # to undo it, the weight has to grow, past 1
    settings = make_settings(
        recipe, rate=2e-2, steps=10**4, validate_steps=2, patience=3, average=0.0, optimiser="adamw"
    )
    trainer, weight = drifting(settings, photos, tmp_path / "c.safetensors")
    trainer.train()
    with trainer.result() as state:
        written = weight.item()
    assert state.finished
    assert state.step < 1000
    assert state.best_step < state.step
    assert state.psnr == state.best
    assert abs(written - 1) < abs(weight.item() - 1)

    again, weight = drifting(settings, photos, tmp_path / "c.safetensors")
    again.resume()
    assert again.early_stopping.weights["w"].item() == pytest.approx(written)
    assert again.state.best_step == state.best_step


def test_a_bad_patience_is_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(AdairError, match="patience"):
        make_settings(patience=-1)


CPU = torch.device("cpu")


def run(monitor: LossMonitor, losses: list[float], norm: float = 0.1) -> list[str]:
    """Feed losses; return what was found wrong at the end of each window."""
    found = []
    for step, loss in enumerate(losses, 1):
        monitor.record(torch.tensor(loss), torch.tensor(norm))
        if step % WINDOW == 0:
            found.append(monitor.check())
    return [fault for fault in found if fault]


@given(st.lists(st.floats(0.005, 0.03), min_size=WINDOW * 8, max_size=WINDOW * 8))
@hypothesis_settings(deadline=None, max_examples=5)
def test_noisy_losses_are_no_alarm(losses: list[float]) -> None:
    assert run(LossMonitor(CPU), losses) == []


def test_nan_and_infinity_are_found_at_once() -> None:
    for loss, norm in ((float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan")), (1.0, float("inf"))):
        monitor = LossMonitor(CPU)
        monitor.record(torch.tensor(0.1), torch.tensor(0.1))
        monitor.record(torch.tensor(loss), torch.tensor(norm))
        assert monitor.check()


def test_growth_is_found_and_forgotten_on_demand() -> None:
    monitor = LossMonitor(CPU)
    calm = [0.02] * WINDOW * SETTLE
    assert run(monitor, calm) == []
    assert monitor.healthy
    assert run(monitor, [0.035] * WINDOW) == []
    assert not monitor.healthy  # not yet wrong, but not worth keeping either
    assert "grown" in run(monitor, [0.2] * WINDOW)[0]
    monitor.reset()
    assert run(monitor, calm) == []
    assert "norm" in run(monitor, [0.02] * WINDOW, norm=50.0)[0]


def test_the_loss_is_the_mean_of_the_window() -> None:
    monitor = LossMonitor(CPU)
    assert monitor.check() is None
    for loss in (1.0, 2.0, 6.0):
        monitor.record(torch.tensor(loss), torch.tensor(1.0))
    assert monitor.check() is None
    assert monitor.loss == 3.0
