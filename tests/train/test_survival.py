"""What a run survives: divergence, a full disk, signals, being killed; and how it goes on afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from adair.errors import AdairError
from adair.train import checkpoint, monitors, trainer
from adair.train.checkpoint import Saving, load_checkpoint
from adair.train.photos import PhotoStore
from adair.train.processes import stop_signals
from adair.train.settings import RunSettings
from adair.train.state import Callback, TrainState
from adair.train.trainer import Trainer

MakeSettings = Callable[..., RunSettings]
CPU = torch.device("cpu")


@pytest.fixture
def make_trainer(photos: PhotoStore, tmp_path: Path, follow: Callable[..., Callback]) -> Callable[..., Trainer]:
    """``make_trainer(settings, forward)``: one weight, ``forward(x, weight)``; it can only learn to be about 1."""

    def make(
        settings: RunSettings,
        forward: Callable[[Tensor, Tensor], Tensor] = torch.mul,
        step: Callable[[TrainState], None] | None = None,
        message: Callable[[str], None] | None = None,
    ) -> Trainer:
        weight = nn.Parameter(torch.full((1,), 0.5))
        path = tmp_path / "run.safetensors"
        callback = follow(step, message)
        return Trainer(lambda x: forward(x, weight), {"w": weight}, settings, photos, {}, path, {}, callback)

    return make


def write_with(trainer: Trainer, write: Callable[[TrainState], None]) -> None:
    """Train, and write a result as `adair.adapt` does."""
    trainer.train()
    with trainer.result() as state:
        write(state)


def weight_of(trainer: Trainer) -> float:
    return trainer.optimiser.parameters["w"].item()


@pytest.fixture
def short_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "WINDOW", 5)
    monkeypatch.setattr(trainer, "WINDOW", 5)


class Fault:
    """Spoils the output in some of the calls, counted from 1."""

    def __init__(self, calls: range, spoil: Callable[[Tensor], Tensor]) -> None:
        self.calls, self.spoil, self.count = calls, spoil, 0

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        self.count += 1
        return self.spoil(x * weight) if self.count in self.calls else x * weight


@pytest.mark.usefixtures("short_window")
@pytest.mark.parametrize(
    ("calls", "spoil", "said"),
    [
        (range(23, 24), lambda y: y * float("nan"), "loss is nan"),
        (range(31, 34), lambda y: y + 50.0, "has grown"),
        (range(2, 3), lambda y: y * float("inf"), "loss is"),
    ],
)
def test_divergence_is_undone_and_the_learning_rate_halved(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], calls: range, spoil: Any, said: str
) -> None:
    told: list[str] = []
    trainer = make_trainer(make_settings(steps=40), Fault(calls, spoil), message=told.append)
    state = trainer.run()
    assert state.finished
    assert state.step == 40
    assert state.slowdown == 0.5
    assert len(told) == 1 and said in told[0] and "\n" not in told[0]
    assert 0.5 < weight_of(trainer) < 1.1
    assert load_checkpoint(trainer.checkpoint, CPU)[1]["slowdown"] == 0.5


@pytest.mark.usefixtures("short_window")
def test_gives_up_when_it_diverges_again_and_again(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer]
) -> None:
    told: list[str] = []
    bad = Fault(range(12, 10**9), lambda y: y * float("nan"))
    settings = make_settings(steps=100, saving=Saving(minutes=0.0))
    trainer = make_trainer(settings, bad, message=told.append)
    with pytest.raises(AdairError, match=r"loss is nan.*--learning-rate"):
        trainer.run()
    assert len(told) == 4
    tensors, facts = load_checkpoint(trainer.checkpoint, CPU)
    assert facts["step"] <= 12
    assert tensors["weights.w"].isfinite().all()


def test_a_save_that_fails_on_the_way_is_told_and_the_run_goes_on(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    written: list[TrainState] = []

    def full(*args: object, **rest: object) -> None:
        raise OSError(28, "No space left on device")

    def heal(state: TrainState) -> None:
        if state.step == 3:
            monkeypatch.undo()

    settings = make_settings(saving=Saving(minutes=0.0))
    monkeypatch.setattr(checkpoint, "save_file", full)
    trainer = make_trainer(settings, step=heal, message=told.append)
    assert trainer.run().finished
    assert len(told) == 3 and all("No space left" in line for line in told)
    assert load_checkpoint(trainer.checkpoint, CPU)[1]["step"] == 6

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(AdairError, match="No space left"):
        write_with(make_trainer(make_settings()), written.append)
    assert [state.step for state in written] == [6]  # the result is written all the same


def test_a_result_and_a_checkpoint_that_both_fail_are_both_named(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def write(state: TrainState) -> None:
        raise AdairError("mine.safetensors: cannot be written")

    told: list[str] = []
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(AdairError, match="mine"):
        write_with(make_trainer(make_settings(), message=told.append), write)
    assert "No space left" in told[-1]


def test_a_full_disk_ends_a_run_before_it_begins(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    trainer = make_trainer(make_settings())
    with pytest.raises(AdairError, match="MB"):
        trainer.run()
    assert trainer.state.step == 0
    assert list(trainer.checkpoint.parent.iterdir()) == []


@pytest.mark.parametrize("by_time", [False, True])
def test_a_finished_run_ends_at_once_unless_its_schedule_begins_anew(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], follow: Callable[..., Callback], by_time: bool
) -> None:
    settings = make_settings(steps=10**6 if by_time else 6, max_minutes=0.2 / 60 if by_time else None, by_time=by_time)
    first = make_trainer(settings)
    steps = first.run().step
    told: list[str] = []
    again = make_trainer(settings, message=told.append)
    again.resume()
    assert again.run().step == steps
    assert "--restart-schedule" in told[0]

    more = make_trainer(settings)
    more.resume(restart=True)
    assert weight_of(more) == weight_of(first)
    rates: list[float] = []
    more.callbacks = follow(lambda state: rates.append(state.rate))
    state = more.run()
    assert state.finished and state.step > steps and state.origin == steps
    assert max(rates) > 1e-3 > state.rate  # warmed up again, and annealed again
    assert weight_of(more) != weight_of(first)
    last = make_trainer(settings)
    last.resume()
    assert last.state.origin == steps


def test_a_checkpoint_of_the_first_version_is_resumed(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer]
) -> None:
    whole = make_trainer(make_settings())
    whole.run()
    half = make_trainer(make_settings(), step=lambda state: os.kill(os.getpid(), signal.SIGTERM))
    half.run()
    tensors, facts = load_checkpoint(half.checkpoint, CPU)
    early = {key: value for key, value in facts.items() if key not in ("origin", "slowdown")}
    save_file(tensors, half.checkpoint, metadata={"checkpoint": json.dumps(early)})
    second = make_trainer(make_settings())
    second.resume()
    assert second.state.step == 1
    second.run()
    assert weight_of(second) == weight_of(whole)


@pytest.mark.parametrize("saving", [Saving(part_mb=1), Saving(keep=2), Saving(compact=True)])
def test_every_form_of_checkpoint_resumes(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer], saving: Saving
) -> None:
    settings = make_settings(steps=20, saving=saving, rate=1e-2)
    whole = make_trainer(settings)
    whole.run()

    def stop(state: TrainState) -> None:
        if state.step == 9:
            os.kill(os.getpid(), signal.SIGTERM)

    first = make_trainer(settings, step=stop)
    assert first.run().step == 9
    second = make_trainer(settings)
    second.resume()
    assert weight_of(second) == weight_of(first)
    assert second.optimiser.average["w"].item() == pytest.approx(first.optimiser.average["w"].item(), abs=1e-4)
    second.run()
    if saving.compact:
        assert weight_of(second) != weight_of(whole)
        assert weight_of(second) == pytest.approx(weight_of(whole), abs=1e-3)
        stored = load_checkpoint(second.checkpoint, CPU)[0]
        assert {name.split(".")[0]: str(t.dtype) for name, t in stored.items()} == {
            "weights": "torch.float32",
            "first_moment": "torch.bfloat16",
            "second_moment": "torch.bfloat16",
            "average_offset": "torch.bfloat16",
        }
    else:
        assert weight_of(second) == weight_of(whole)


def test_refuses_a_checkpoint_that_lacks_a_tensor(
    make_settings: MakeSettings, make_trainer: Callable[..., Trainer]
) -> None:
    trainer = make_trainer(make_settings())
    trainer.run()
    tensors, facts = load_checkpoint(trainer.checkpoint, CPU)
    del tensors["second_moment.w"]
    checkpoint.save_checkpoint(trainer.checkpoint, tensors, facts)
    with pytest.raises(AdairError, match=r"second_moment\.w"):
        make_trainer(make_settings()).resume()


def test_a_second_ctrl_c_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with stop_signals() as received:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # at the same time: a launcher passes on what the terminal sent as well
        assert len(received) == 2
        received[0] -= 10
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_ends_a_run_ends_what_it_is_a_part_of() -> None:
    with stop_signals() as whole:
        with stop_signals() as part:
            os.kill(os.getpid(), signal.SIGTERM)
        assert len(whole) == len(part) == 1
        with stop_signals() as later:
            assert later  # a run that begins after the signal ends at once
        os.kill(os.getpid(), signal.SIGTERM)
        assert len(whole) == 2 and len(part) == 1


KILLED_AGAIN_AND_AGAIN = """
import os, random, signal, sys, time
from pathlib import Path
import torch
import torch._dynamo  # which an optimiser would import in every child
from torch import nn
from adair.degradations import parse_recipe
from adair.train.checkpoint import Saving, load_checkpoint
from adair.train.trainer import Trainer
from adair.train.photos import open_store
from adair.train.objectives import SyntheticPairs
from adair.train.settings import RunSettings, Schedule
from adair.train.state import Callback

torch.set_num_threads(1)
folder, cache, path = map(Path, sys.argv[1:])
photos = open_store(folder, cache)

def train(pipe):
    weight = nn.Parameter(torch.full((400_000,), 0.5))
    saving = Saving(minutes=0.0, part_mb=2, keep=2)
    objective = SyntheticPairs(parse_recipe("noise(sigma=25)"))
    settings = RunSettings(objective, Schedule(1e-3), 10**6, batch=1, patches=((0.0, 16),), saving=saving)
    class Steps(Callback):
        def on_step(self, state):
            os.write(pipe, b"%d\\n" % state.step)
    trainer = Trainer(lambda x: x * weight.mean(), {"w": weight}, settings, photos, {}, path, {}, Steps())
    if path.exists():
        trainer.resume()
    trainer.run()

last, chance = 0, random.Random(0)
for attempt in range(10):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        train(write)
    os.close(write)
    with os.fdopen(read) as steps:
        first = int(steps.readline())
        assert first <= last + 2, (first, last)  # a step may be saved that was not reported yet
        time.sleep(chance.uniform(0, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        last = max([first, *map(int, steps.read().split())])
    tensors, facts = load_checkpoint(path, torch.device("cpu"))
    assert last <= facts["step"] <= last + 1, (last, facts["step"])
    assert tensors["weights.w"].shape == (400_000,)
print(last)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_9_at_any_moment_loses_at_most_the_steps_since_the_last_checkpoint(
    photo_folder: Path, tmp_path: Path
) -> None:
    places = [photo_folder, tmp_path / "cache", tmp_path / "run.safetensors"]
    command = [sys.executable, "-W", "ignore", "-c", KILLED_AGAIN_AND_AGAIN, *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10  # it got on, in spite of all
