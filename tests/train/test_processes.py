from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from adair.errors import AdairError
from adair.train.checkpoint import load_checkpoint
from adair.train.processes import Processes, join_processes

# What every process does before the runs of a test.
HEAD = """
import json, os, signal, sys
from pathlib import Path
import torch
from adair.backbones import build_backbone
from adair.degradations import parse_recipe
from adair.train.validation import make_validation_sets
from adair.train.trainer import Trainer
from adair.train.photos import open_store
from adair.train.processes import join_processes
from adair.train.objectives import SyntheticPairs
from adair.train.settings import RunSettings, Schedule
from adair.train.state import Callback

torch.set_num_threads(1)
photo_folder, folder = map(Path, sys.argv[1:])
processes = join_processes("cpu")
photos = open_store(photo_folder, folder / f"cache{processes.rank}")
sets = make_validation_sets(photos.subset([0]), {"noise": "noise(sigma=25)"}, torch.device("cpu"))

class Follow(Callback):
    def __init__(self, function):
        self.on_step = function

def run(name, steps, resume=False, watch=lambda state: None, **rest):
    torch.manual_seed(processes.rank if resume else 0)  # what is resumed comes from the first process
    model = build_backbone("nafnet", {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)})
    model = model.to(memory_format=torch.channels_last)
    objective = SyntheticPairs(parse_recipe("noise(sigma=0..50) | jpeg(quality=20..90)"))
    settings = RunSettings(objective, Schedule(3e-3, warmup=2), steps, batch=5, patches=((0.0, 16),), validate_steps=1,
                           **rest)
    path = folder / f"{name}.safetensors"
    parameters = dict(model.named_parameters())
    trainer = Trainer(model, parameters, settings, photos, sets, path, {}, Follow(watch), processes)
    if resume:
        trainer.resume()
    return trainer.run()
"""

# Three runs, in every process: some steps, some seconds, and one that a signal to the last process ends.
SCRIPT = """
losses = []
run("steps", 6, watch=lambda state: losses.append(state.loss))
run("steps", 9, resume=True, watch=lambda state: losses.append(state.loss))
timed = run("time", 10**6, max_minutes=0.01, by_time=True)

def stop(state):
    if state.step == 3 and processes.rank == processes.count - 1:
        os.kill(os.getpid(), signal.SIGTERM)

stopped = run("signal", 10**6, watch=stop)
(folder / f"{processes.rank}.json").write_text(json.dumps([losses, timed.finished, timed.step, stopped.step]))
"""

# Six steps with a checkpoint after each. The last process dies without a word in the fourth, once.
KILLED = """
from adair.train.checkpoint import Saving

def die(state):
    if state.step == 4 and processes.rank == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)

path = folder / "steps.safetensors"
run("steps", 6, resume=path.exists(), watch=die, saving=Saving(minutes=0))
(folder / f"{processes.rank}.json").write_text("[]")
"""

SEVERAL = "-m accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --main_process_port 0"
LAUNCHER = f"{SEVERAL} --mixed_precision no --dynamo_backend no".split()


def start(folder: Path, photo_folder: Path, script: str, *launcher: str) -> subprocess.CompletedProcess[str]:
    """Run a script in one process, or in those of a launcher."""
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(HEAD + script)
    command = [sys.executable, *launcher, str(folder / "script.py"), str(photo_folder), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "0"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def launch(folder: Path, photo_folder: Path, *launcher: str) -> list[tuple[list[float], bool, int, int]]:
    """Run the three runs; return what each process wrote."""
    done = start(folder, photo_folder, SCRIPT, *launcher)
    assert done.returncode == 0, done.stderr
    return [json.loads(path.read_text()) for path in sorted(folder.glob("?.json"))]


def same_checkpoints(one: Path, other: Path) -> None:
    """Assert that two checkpoints hold the same, to rounding."""
    first, second = (load_checkpoint(path, torch.device("cpu"))[0] for path in (one, other))
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], rtol=1e-3, atol=1e-5), name


def test_two_processes_learn_as_one_does_and_stop_together(photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    two = launch(tmp_path / "two", photo_folder, *LAUNCHER)
    (alone,) = launch(tmp_path / "one", photo_folder)
    assert len(two) == 2
    for losses, finished, timed, stopped in two:
        assert losses == pytest.approx(alone[0], rel=1e-4)
        assert len(losses) == 9
        assert finished
        assert timed == two[0][2] > 0
        assert stopped == two[0][3] >= 3
    same_checkpoints(tmp_path / "two" / "steps.safetensors", tmp_path / "one" / "steps.safetensors")


def test_a_run_goes_on_after_one_of_its_processes_was_killed(photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    killed = start(tmp_path / "two", photo_folder, KILLED, *LAUNCHER)
    assert killed.returncode != 0
    assert not list((tmp_path / "two").glob("?.json"))  # the other one did not go on alone
    resumed = start(tmp_path / "two", photo_folder, KILLED, *LAUNCHER)
    assert resumed.returncode == 0, resumed.stderr
    alone = start(tmp_path / "one", photo_folder, KILLED)
    assert alone.returncode == 0, alone.stderr
    same_checkpoints(tmp_path / "two" / "steps.safetensors", tmp_path / "one" / "steps.safetensors")


def test_alone_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    processes = join_processes()
    assert processes.first and processes.count == 1
    assert processes.agree(True, 3.0, torch.device("cpu")) == (True, 3.0)
    assert processes.from_first(lambda: 7) == 7


def test_a_launch_that_starts_only_one_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with pytest.raises(AdairError, match="--multi_gpu"):
        join_processes("cpu")


def test_without_accelerate_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(AdairError, match=r"adair\[train\]"):
        join_processes("cpu")


def test_a_process_is_the_first_or_not() -> None:
    assert Processes(0, 3).first
    assert not Processes(1, 3).first
