from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adair.backbones import build_backbone
from adair.errors import AdairError
from adair.train.checkpoint import Saving, load_checkpoint
from adair.train.exam import make_exam
from adair.train.loop import Trainer
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report

MakePlan = Callable[..., Plan]
MakeTrainer = Callable[..., Trainer]
CPU = torch.device("cpu")


@pytest.fixture
def make_trainer(photos: PhotoStore, tiny_config: dict[str, Any], tmp_path: Path) -> MakeTrainer:
    """``make_trainer(plan, name)``: a tiny network from seed 0, its checkpoint under ``name``."""

    def make(plan: Plan, name: str = "run", **rest: Any) -> Trainer:
        torch.manual_seed(0)
        model = build_backbone("nafnet", tiny_config).to(memory_format=torch.channels_last)
        exam = make_exam(photos.subset([0]), {"noise": "noise(sigma=25)"}, CPU)
        file = tmp_path / name / "checkpoint.safetensors"
        return Trainer(model, dict(model.named_parameters()), plan, photos, exam, file, {"config": tiny_config}, **rest)

    return make


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in trainer.state.parameters.items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_learns(make_plan: MakePlan, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(make_plan("noise(sigma=50)", steps=150, batch=8, patches=((0.0, 32),), average=0.9))
    report = trainer.run()
    assert report.finished
    assert report.psnr["noise"] > report.input_psnr["noise"] + 1


def test_the_same_seed_gives_the_same_weights(make_plan: MakePlan, make_trainer: MakeTrainer) -> None:
    first, second = make_trainer(make_plan(), "a"), make_trainer(make_plan(), "b")
    first.run()
    second.run()
    assert same(weights(first), weights(second))
    other = make_trainer(make_plan(seed=1), "c")
    other.run()
    assert not same(weights(first), weights(other))


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    make_plan: MakePlan, make_trainer: MakeTrainer, stop: int
) -> None:
    recipe = "noise(sigma=0..50) | shuffle(blur(sigma=1..2), jpeg(quality=20..90)?0.5)"
    whole = make_trainer(make_plan(recipe), "whole")
    whole.run()

    def interrupt(report: Report) -> None:
        if report.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    first = make_trainer(make_plan(recipe), "parts", watch=interrupt)
    assert not first.run().finished
    second = make_trainer(make_plan(recipe), "parts")
    second.resume()
    assert second.report.step == stop
    assert second.run().finished
    assert same(weights(whole), weights(second))
    assert same(whole.state.average, second.state.average)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that passes by a tenth of a second whenever somebody looks, however busy the machine is."""
    ticks = itertools.count()
    monkeypatch.setattr("adair.train.loop.time.monotonic", lambda: next(ticks) / 10)


@pytest.mark.usefixtures("clock")
def test_stops_at_a_checkpoint_when_the_minutes_are_over(make_plan: MakePlan, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(make_plan(steps=10**6, max_minutes=3 / 60))
    report = trainer.run()
    assert not report.finished
    assert 0 < report.step < 30
    tensors, facts = load_checkpoint(trainer.checkpoint, CPU)
    assert facts["step"] == report.step
    assert torch.equal(tensors["weights.intro.weight"], trainer.state.parameters["intro.weight"])


@pytest.mark.usefixtures("clock")
def test_a_schedule_by_time_ends_annealed(make_plan: MakePlan, make_trainer: MakeTrainer) -> None:
    report = make_trainer(make_plan(steps=10**6, max_minutes=6 / 60, by_time=True)).run()
    assert report.finished
    assert report.rate < 0.1 * 3e-3


def test_checkpoints_are_whole_and_leave_nothing_beside_them(make_plan: MakePlan, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(make_plan(saving=Saving(minutes=0.0)))
    trainer.run()
    assert [p.name for p in trainer.checkpoint.parent.iterdir()] == ["checkpoint.safetensors"]


def test_a_checkpoint_that_cannot_be_written_keeps_the_last(
    make_plan: MakePlan, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(make_plan())
    trainer.run()
    before = trainer.checkpoint.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adair.train.checkpoint.save_file", full)
    with pytest.raises(AdairError, match="No space left"):
        trainer.save()
    assert trainer.checkpoint.read_bytes() == before


def test_refuses_the_checkpoint_of_another_model(
    make_plan: MakePlan, make_trainer: MakeTrainer, tiny_config: dict[str, Any]
) -> None:
    make_trainer(make_plan()).run()
    other = make_trainer(make_plan())
    other.facts["config"] = {**tiny_config, "width": 8}
    with pytest.raises(AdairError, match="config"):
        other.resume()


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 99])
def test_refuses_what_is_no_checkpoint(make_plan: MakePlan, make_trainer: MakeTrainer, content: bytes | None) -> None:
    trainer = make_trainer(make_plan())
    if content is not None:
        trainer.checkpoint.parent.mkdir()
        trainer.checkpoint.write_bytes(content)
    with pytest.raises(AdairError, match="without --resume"):
        trainer.resume()


def test_only_the_given_parameters_move_and_validation_leaves_them(
    make_plan: MakePlan, photos: PhotoStore, tmp_path: Path
) -> None:
    trained, frozen = nn.Parameter(torch.full((1,), 0.5)), nn.Parameter(torch.full((1,), 0.5))
    exam = make_exam(photos.subset([0]), {"noise": "noise(sigma=25)"}, CPU)
    trainer = Trainer(
        lambda x: x * (trained + frozen), {"w": trained}, make_plan(), photos, exam, tmp_path / "c.safetensors", {}
    )
    trainer.run()
    assert frozen.item() == 0.5
    moved = trained.item()
    assert moved != 0.5
    trainer.validate()
    assert trained.item() == moved


def test_patches_grow_with_progress(make_plan: MakePlan) -> None:
    plan = make_plan(patches=((0.0, 16), (0.5, 32)))
    assert [plan.patch(p) for p in (0, 0.49, 0.5, 1)] == [16, 16, 32, 32]


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"batch": 0},
        {"by_time": True},
        {"max_minutes": 0.0},
        {"max_minutes": float("nan")},
        {"seed": 10**22},
        {"patches": ((0.0, 8),)},
        {"average": 1.0},
    ],
)
def test_refuses_plans_that_cannot_be(make_plan: MakePlan, change: dict[str, Any]) -> None:
    with pytest.raises(AdairError):
        make_plan(**change)
