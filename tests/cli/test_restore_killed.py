"""``adair restore`` killed in the middle of a folder, and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

COUNT = 30


def test_after_a_kill_nothing_is_half_and_the_next_run_does_the_rest(tmp_path: Path, model_files: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(COUNT):
        pixels = np.random.default_rng(number).integers(0, 255, (200, 300, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / f"{number:02}.png")
    command = [sys.executable, "-m", "adair", "restore", str(source), "-o", str(target), "--task", "foundation"]
    command += ["--foundation", str(model_files / "foundation.safetensors"), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        time.sleep(0.02)  # into the middle of a file
        process.send_signal(signal.SIGKILL)
    finished = sorted(target.glob("*.png"))
    assert 3 <= len(finished) < COUNT
    for path in finished:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (300, 200)
    times = {path: path.stat().st_mtime_ns for path in finished[:-1]}  # the last may be done without being recorded
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert len(list(target.glob("*.png"))) == COUNT
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert list(target.rglob("*.part")) == []
