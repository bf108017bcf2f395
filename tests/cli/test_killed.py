"""Commands killed in the middle of writing a file (SIGKILL), and given again: the result is that of an undisturbed run.

``adair restore`` killed at any moment is in test_restore_killed.py, a study in tests/studies/test_jobs.py, and a run of
several processes in tests/train/test_processes.py.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.cli.main import main
from adair.weights import read_header, read_tensors

# Ends with the N-th file that is written but has not yet got its name.
KILLED = """
import os, signal, sys
from adair.cli.main import main

class Countdown:
    left = int(sys.argv[1])
    sync = os.fsync
    def __call__(self, descriptor):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Countdown.sync(descriptor)

os.fsync = Countdown()
main(sys.argv[2:])
"""
TRAINING = ["--steps", "8", "--batch", "2", "--patch", "16", "--validate-steps", "1000", "--checkpoint-minutes", "0"]
CPU = ["--device", "cpu", "--precision", "fp32"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three photos as ``photos/`` and as the test set ``data/CBSD68/``."""
    rng = np.random.default_rng(0)
    for name in ("photos", "data/CBSD68"):
        (tmp_path / name).mkdir(parents=True)
        for i in range(3):
            small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            small.resize((90, 70)).save(tmp_path / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kill(writes: int, words: Sequence[str]) -> None:
    """Run a command that dies with its ``writes``-th file half-published."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(writes), *words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def assert_same_weights(one: Path, other: Path) -> None:
    ours, theirs = (read_tensors(read_header(path)) for path in (one, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


@pytest.mark.parametrize("writes", [5, 11])  # early, and near the end
def test_pretraining(folder: Path, writes: int) -> None:
    words = ["pretrain", "--photos", "photos", "--width", "4", "--blocks", "1/1/1", *TRAINING, *CPU]
    kill(writes, [*words, "-o", "run"])
    assert not Path("run/foundation.safetensors").exists()
    assert main([*words, "-o", "run", "--resume"]) == 0
    assert main([*words, "-o", "whole"]) == 0
    assert_same_weights(Path("run/foundation.safetensors"), Path("whole/foundation.safetensors"))
    assert len(list(folder.rglob("*.part"))) <= 1  # of the killed process; swept when it is a minute old


def test_adapting(model_files: Path) -> None:
    model = ["--foundation", str(model_files / "foundation.safetensors")]
    words = ["adapt", "mine", "--photos", "photos", "--recipe", "noise(sigma=25)", *model, *TRAINING, *CPU]
    kill(5, [*words, "-o", "mine.safetensors"])
    assert not Path("mine.safetensors").exists()
    assert main([*words, "-o", "mine.safetensors", "--resume"]) == 0
    assert main([*words, "-o", "whole.safetensors"]) == 0
    assert_same_weights(Path("mine.safetensors"), Path("whole.safetensors"))


def test_benchmarking(model_files: Path) -> None:
    model = ["--foundation", str(model_files / "foundation.safetensors"), "--method", "input", "--method", "ours"]
    words = ["bench", "denoise", *model, *CPU]
    kill(4, [*words, "--json", "rows.json"])
    finished = json.loads(Path("rows.json").read_text())
    assert 0 < len(finished) < 12
    assert main([*words, "--json", "rows.json"]) == 0
    assert main([*words, "--json", "whole.json"]) == 0
    rows, whole = (json.loads(Path(name).read_text()) for name in ("rows.json", "whole.json"))
    assert rows[: len(finished)] == finished  # time and memory, too: not measured again
    figures = ("dataset", "setting", "method", "psnr", "ssim", "images")
    assert [[row[key] for key in figures] for row in rows] == [[row[key] for key in figures] for row in whole]
