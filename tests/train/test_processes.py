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

# Three runs, in every process: some steps, some seconds, and one that a signal to the last process ends.
SCRIPT = """
import json, os, signal, sys
from pathlib import Path
import torch
from adair.backbones import build_backbone
from adair.degradations import parse_recipe
from adair.train.exam import make_exam
from adair.train.loop import Trainer
from adair.train.photos import open_store
from adair.train.plan import Plan
from adair.train.processes import join_processes
from adair.train.schedule import Schedule

torch.set_num_threads(1)
photo_folder, folder = map(Path, sys.argv[1:])
processes = join_processes("cpu")
photos = open_store(photo_folder, folder / f"cache{processes.rank}")
exam = make_exam(photos.subset([0]), {"noise": "noise(sigma=25)"}, torch.device("cpu"))

def run(name, steps, resume=False, watch=lambda report: None, **rest):
    torch.manual_seed(processes.rank if resume else 0)  # what is resumed comes from the first process
    model = build_backbone("nafnet", {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)})
    model = model.to(memory_format=torch.channels_last)
    plan = Plan(parse_recipe("noise(sigma=0..50) | jpeg(quality=20..90)"), Schedule(3e-3, warmup=2), steps, batch=5,
                patches=((0.0, 16),), validate_steps=1, **rest)
    path = folder / f"{name}.safetensors"
    trainer = Trainer(model, dict(model.named_parameters()), plan, photos, exam, path, {}, watch, processes=processes)
    if resume:
        trainer.resume()
    return trainer.run()

losses = []
run("steps", 6, watch=lambda report: losses.append(report.loss))
run("steps", 9, resume=True, watch=lambda report: losses.append(report.loss))
timed = run("time", 10**6, max_minutes=0.01, by_time=True)

def stop(report):
    if report.step == 3 and processes.rank == processes.count - 1:
        os.kill(os.getpid(), signal.SIGTERM)

stopped = run("signal", 10**6, watch=stop)
(folder / f"{processes.rank}.json").write_text(json.dumps([losses, timed.finished, timed.step, stopped.step]))
"""


def launch(folder: Path, photo_folder: Path, *launcher: str) -> list[tuple[list[float], bool, int, int]]:
    """Run the script; return what each process wrote."""
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, *launcher, str(folder / "script.py"), str(photo_folder), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(path.read_text()) for path in sorted(folder.glob("?.json"))]


def test_two_processes_learn_as_one_does_and_stop_together(photo_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    several = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    rest = ["--mixed_precision", "no", "--dynamo_backend", "no"]
    two = launch(tmp_path / "two", photo_folder, "-m", "accelerate.commands.launch", *several, *rest)
    (alone,) = launch(tmp_path / "one", photo_folder)
    assert len(two) == 2
    for losses, finished, timed, stopped in two:
        assert losses == pytest.approx(alone[0], rel=1e-4)
        assert len(losses) == 9
        assert finished
        assert timed == two[0][2] > 0
        assert stopped == two[0][3] >= 3
    first, _ = load_checkpoint(tmp_path / "two" / "steps.safetensors", torch.device("cpu"))
    second, _ = load_checkpoint(tmp_path / "one" / "steps.safetensors", torch.device("cpu"))
    for name, tensor in first.items():
        assert torch.allclose(tensor, second[name], rtol=1e-3, atol=1e-5), name


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
