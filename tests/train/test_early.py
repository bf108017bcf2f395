from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from adair.errors import AdairError
from adair.train.early import Best
from adair.train.exam import make_exam, take_exam
from adair.train.loop import Trainer
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report

MakePlan = Callable[..., Plan]


def note(best: Best, report: Report, value: float) -> None:
    report.step += 10
    report.psnr = {"a": value - 1, "b": value + 1}
    best.note(report)


def test_the_best_is_kept_and_patience_ends() -> None:
    average = {"w": torch.zeros(2)}
    best, report = Best(average, 2), Report()
    for value in (20.0, 25.0, 24.95, 24.0):
        average["w"].fill_(value)
        note(best, report, value)
        assert not best.over
    assert best.weights["w"].tolist() == [25.0, 25.0]
    assert report.best_step == 20
    note(best, report, 24.0)
    assert best.over
    assert [step for step, _ in report.history] == [10, 20, 30, 40, 50]


def test_a_plateau_is_no_end() -> None:
    best, report = Best({"w": torch.zeros(2)}, 2), Report()
    for _ in range(9):
        note(best, report, 25.0)
    assert not best.over


def test_without_patience_nothing_is_kept() -> None:
    best, report = Best({"w": torch.zeros(2)}, 0), Report()
    for value in (25.0, 20.0, 15.0):
        note(best, report, value)
    assert not best.over and not best.weights and not report.history


def drifting(plan: Plan, photos: PhotoStore, path: Path) -> tuple[Trainer, nn.Parameter]:
    """Training that leads away: the exam is best where the weight is 1, and the loss pulls it beyond."""
    weight = nn.Parameter(torch.tensor([0.5]))
    exam = make_exam(photos.subset([0]), {"same": "noise(sigma=0)"}, torch.device("cpu"))
    exam = {"same": (exam["same"][0], exam["same"][0])}
    trainer = Trainer(lambda x: x * weight, {"w": weight}, plan, photos, exam, path, {})
    return trainer, weight


def test_a_run_that_gets_worse_stops_and_its_result_is_the_best(
    make_plan: MakePlan, photos: PhotoStore, tmp_path: Path
) -> None:
    recipe = "lowlight(exposure=0.25)"  # to undo it, the weight has to grow, past 1
    plan = make_plan(recipe, rate=2e-2, steps=10**4, validate_steps=2, patience=3, average=0.0, optimiser="adamw")
    trainer, weight = drifting(plan, photos, tmp_path / "c.safetensors")
    written: list[float] = []
    report = trainer.run(lambda report: written.append(weight.item()))
    assert report.finished
    assert report.step < 1000
    assert report.best_step < report.step
    assert report.psnr == report.best
    assert abs(written[0] - 1) < abs(weight.item() - 1)

    again, weight = drifting(plan, photos, tmp_path / "c.safetensors")
    again.resume()
    assert again.best.weights["w"].item() == pytest.approx(written[0])
    assert again.report.best_step == report.best_step


def test_a_bad_patience_is_refused(make_plan: MakePlan) -> None:
    with pytest.raises(AdairError, match="patience"):
        make_plan(patience=-1)


def test_flat_photos_and_broken_networks_have_finite_figures() -> None:
    flat = torch.full((2, 3, 32, 32), 0.5)
    exam = {"blur": (flat, flat), "noise": (flat, flat + 0.1)}
    restored, before = take_exam(exam, lambda x: x)
    assert before == {"blur": 100.0, "noise": pytest.approx(20.0, abs=1e-3)}
    assert restored["blur"] < 100  # 0.5 is none of the 256 levels
    assert take_exam(exam, lambda x: x * float("nan"))[0] == {"blur": 0.0, "noise": 0.0}
