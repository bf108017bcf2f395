from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adair.backbones import build_backbone
from adair.errors import AdairError
from adair.train.checkpoint import Saving, load_checkpoint
from adair.train.photos import PhotoStore
from adair.train.settings import RunSettings
from adair.train.state import Callback, TrainState
from adair.train.trainer import Trainer, channels_last
from adair.train.validation import make_validation_sets

MakeSettings = Callable[..., RunSettings]
MakeTrainer = Callable[..., Trainer]
CPU = torch.device("cpu")


@pytest.fixture
def make_trainer(
    photos: PhotoStore, tiny_config: dict[str, Any], tmp_path: Path, follow: Callable[..., Callback]
) -> MakeTrainer:
    """``make_trainer(settings, name)``: a tiny network from seed 0, its checkpoint under ``name``."""

    def make(settings: RunSettings, name: str = "run", step: Callable[[TrainState], None] | None = None) -> Trainer:
        torch.manual_seed(0)
        model = build_backbone("nafnet", tiny_config).to(memory_format=torch.channels_last)
        sets = make_validation_sets(photos.subset([0]), {"noise": "noise(sigma=25)"}, CPU)
        file = tmp_path / name / "checkpoint.safetensors"
        parameters, facts = dict(model.named_parameters()), {"config": tiny_config}
        return Trainer(model, parameters, settings, photos, sets, file, facts, follow(step))

    return make


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in trainer.optimiser.parameters.items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_learns(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    trainer = make_trainer(make_settings("noise(sigma=50)", steps=150, batch=8, patches=((0.0, 32),), average=0.9))
    state = trainer.run()
    assert state.finished
    assert state.psnr["noise"] > state.input_psnr["noise"] + 1


def test_the_same_seed_gives_the_same_weights(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    first, second = make_trainer(make_settings(), "a"), make_trainer(make_settings(), "b")
    first.run()
    second.run()
    assert same(weights(first), weights(second))
    other = make_trainer(make_settings(seed=1), "c")
    other.run()
    assert not same(weights(first), weights(other))


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_ends_bit_for_bit_like_an_uninterrupted_one(
    make_settings: MakeSettings, make_trainer: MakeTrainer, stop: int
) -> None:
    recipe = "noise(sigma=0..50) | shuffle(blur(sigma=1..2), jpeg(quality=20..90)?0.5)"
    whole = make_trainer(make_settings(recipe), "whole")
    whole.run()

    def interrupt(state: TrainState) -> None:
        if state.step == stop:
            os.kill(os.getpid(), signal.SIGTERM)

    first = make_trainer(make_settings(recipe), "parts", step=interrupt)
    assert not first.run().finished
    second = make_trainer(make_settings(recipe), "parts")
    second.resume()
    assert second.state.step == stop
    assert second.run().finished
    assert same(weights(whole), weights(second))
    assert same(whole.optimiser.average, second.optimiser.average)


def test_where_a_run_is_interrupted_does_not_change_its_result(
    make_settings: MakeSettings, make_trainer: MakeTrainer
) -> None:
    """Although interrupting it validates once more, and here the first steps are the best."""
    settings = make_settings(rate=0.3, steps=12, validate_steps=4, patience=3)
    whole = make_trainer(settings, "whole")
    whole.run()

    def interrupt(state: TrainState) -> None:
        if state.step in (1, 6):
            os.kill(os.getpid(), signal.SIGTERM)

    assert not make_trainer(settings, "parts", step=interrupt).run().finished
    for _ in range(2):
        parts = make_trainer(settings, "parts", step=interrupt)
        parts.resume()
        parts.run()
    assert parts.state.finished and parts.state.history == whole.state.history
    assert parts.state.best == whole.state.best and parts.early_stopping.over == whole.early_stopping.over
    assert same(parts.early_stopping.weights, whole.early_stopping.weights)


def test_the_result_knows_the_step_of_its_weights(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    """Interrupted between validations it may be newer than the best so far; an earlier best is named as such."""
    settings = make_settings(rate=1e-2, steps=40, batch=8, validate_steps=4, patience=3, average=0.5)

    def interrupt(state: TrainState) -> None:
        if state.step == 19:
            os.kill(os.getpid(), signal.SIGTERM)

    newer = make_trainer(settings, step=interrupt).run()
    assert newer.interrupted and newer.best_step == 16 and newer.result_step == newer.step == 19
    again = make_trainer(settings)
    again.resume()
    assert not again.state.result_step and not again.state.interrupted
    again.train()
    assert not again.state.interrupted
    again.state = replace(again.state, best={"noise": 99.0}, best_step=8)
    with again.result() as state:
        assert state.result_step == 8 and state.psnr == {"noise": 99.0}


def test_a_new_schedule_forgets_what_was_the_best(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    """With another recipe, figures of the old one say nothing."""
    easy = make_trainer(make_settings("noise(sigma=2)", steps=4, validate_steps=2, patience=1))
    easy.run()
    assert easy.early_stopping.weights
    hard = make_trainer(make_settings("noise(sigma=50)", steps=4, validate_steps=2, patience=9))
    hard.resume(restart=True)
    assert not hard.state.best and not hard.state.history and not hard.early_stopping.weights
    assert hard.run().step == 8 and hard.state.best_step > 4


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that passes by a tenth of a second whenever somebody looks, however busy the machine is."""
    ticks = itertools.count()
    monkeypatch.setattr("adair.train.trainer.time.monotonic", lambda: next(ticks) / 10)


@pytest.mark.usefixtures("clock")
def test_stops_at_a_checkpoint_when_the_minutes_are_over(
    make_settings: MakeSettings, make_trainer: MakeTrainer
) -> None:
    trainer = make_trainer(make_settings(steps=10**6, max_minutes=3 / 60))
    state = trainer.run()
    assert not state.finished
    assert 0 < state.step < 30
    tensors, facts = load_checkpoint(trainer.checkpoint, CPU)
    assert facts["step"] == state.step
    assert torch.equal(tensors["weights.intro.weight"], trainer.optimiser.parameters["intro.weight"])


@pytest.mark.usefixtures("clock")
def test_a_schedule_by_time_ends_annealed(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    state = make_trainer(make_settings(steps=10**6, max_minutes=6 / 60, by_time=True)).run()
    assert state.finished
    assert state.rate < 0.1 * 3e-3


@pytest.mark.usefixtures("clock")
def test_minutes_are_those_of_all_calls(make_settings: MakeSettings, make_trainer: MakeTrainer) -> None:
    settings = make_settings(steps=10**6, minutes=9 / 60, by_time=True)

    def interrupt(state: TrainState) -> None:
        if state.progress > 0.6:
            os.kill(os.getpid(), signal.SIGTERM)

    first = make_trainer(settings, step=interrupt).run()
    assert not first.finished and 5 < first.seconds < 7
    progress: list[float] = []
    second = make_trainer(settings, step=lambda state: progress.append(state.progress))
    second.resume()
    state = second.run()
    assert state.finished and 8 < state.seconds < 10
    assert 0.5 < progress[0] < 0.75 and progress[-1] > 0.9 and state.rate < 0.1 * 3e-3

    third = make_trainer(settings)
    third.resume(restart=True)
    assert third.run().seconds > 16  # a new schedule has its own minutes


def test_checkpoints_are_whole_and_leave_nothing_beside_them(
    make_settings: MakeSettings, make_trainer: MakeTrainer
) -> None:
    trainer = make_trainer(make_settings(saving=Saving(minutes=0.0)))
    trainer.run()
    assert [p.name for p in trainer.checkpoint.parent.iterdir()] == ["checkpoint.safetensors"]


def test_a_checkpoint_that_cannot_be_written_keeps_the_last(
    make_settings: MakeSettings, make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(make_settings())
    trainer.run()
    before = trainer.checkpoint.read_bytes()

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adair.train.checkpoint.save_file", full)
    with pytest.raises(AdairError, match="No space left"):
        trainer.save()
    assert trainer.checkpoint.read_bytes() == before


def test_refuses_the_checkpoint_of_another_model(
    make_settings: MakeSettings, make_trainer: MakeTrainer, tiny_config: dict[str, Any]
) -> None:
    make_trainer(make_settings()).run()
    other = make_trainer(make_settings())
    other.facts["config"] = {**tiny_config, "width": 8}
    with pytest.raises(AdairError, match="config"):
        other.resume()


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 99])
def test_refuses_what_is_no_checkpoint(
    make_settings: MakeSettings, make_trainer: MakeTrainer, content: bytes | None
) -> None:
    trainer = make_trainer(make_settings())
    if content is not None:
        trainer.checkpoint.parent.mkdir()
        trainer.checkpoint.write_bytes(content)
    with pytest.raises(AdairError, match="without --resume"):
        trainer.resume()


def test_only_the_given_parameters_move_and_validation_leaves_them(
    make_settings: MakeSettings, photos: PhotoStore, tmp_path: Path
) -> None:
    trained, frozen = nn.Parameter(torch.full((1,), 0.5)), nn.Parameter(torch.full((1,), 0.5))
    sets = make_validation_sets(photos.subset([0]), {"noise": "noise(sigma=25)"}, CPU)
    trainer = Trainer(
        lambda x: x * (trained + frozen), {"w": trained}, make_settings(), photos, sets, tmp_path / "c.safetensors", {}
    )
    trainer.run()
    assert frozen.item() == 0.5
    moved = trained.item()
    assert moved != 0.5
    trainer.validate()
    assert trained.item() == moved


def test_compiling_is_asked_for(
    make_settings: MakeSettings, photos: PhotoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda model, **rest: lambda x: model(x) + 1)
    for compile, result in ((False, 0.0), (True, 1.0)):
        weight = {"w": nn.Parameter(torch.ones(1))}
        settings = make_settings(compile=compile)
        trainer = Trainer(torch.sin, weight, settings, photos, {}, tmp_path / "c.safetensors", {})
        assert trainer.restore(torch.zeros(1)) == result


@pytest.mark.gpu
@pytest.mark.parametrize("compile", [False, True])
def test_a_step_never_waits_for_the_gpu(
    compile: bool, tiny_config: dict[str, Any], photos: PhotoStore, make_settings: MakeSettings, tmp_path: Path
) -> None:
    model = channels_last(build_backbone("nafnet", tiny_config).cuda())
    settings = make_settings(
        recipe="noise | blur | jpeg", precision=torch.bfloat16, compile=compile, patches=((0.0, 32),)
    )
    trainer = Trainer(model, dict(model.named_parameters()), settings, photos, {}, tmp_path / "c.safetensors", {})
    for _ in range(10):
        trainer._step()  # the first ones set libraries up
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(5):
            trainer._step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert trainer.state.step == 15
