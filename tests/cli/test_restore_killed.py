"""A folder of the files that people have, killed twice: the third run of the same command completes it and reports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from adair.cli.restore import SMALL_WORKERS
from adair.images import read_image
from adair.images.parts import MINUTE

COUNT = 60


def picture(number: int, *shape: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 255, shape or (40, 60, 3), dtype=np.uint8))


def still(path: Path, number: int, **options: Any) -> None:
    picture(number).save(path, **options)


def moving(path: Path, number: int) -> None:
    frames = [picture(number + more) for more in range(2)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80)


def deep(path: Path, number: int) -> None:
    Image.fromarray(np.asarray(picture(number, 40, 60)).astype(np.uint16) * 257).save(path)


def inks(path: Path, number: int) -> None:
    picture(number).convert("CMYK").save(path)


def light(path: Path, number: int) -> None:
    values = np.asarray(picture(number)).astype(np.float32) / 255
    pyvips.Image.new_from_array(values).copy(interpretation="scrgb").write_to_file(str(path))


KINDS: tuple[tuple[str, Any, str], ...] = (  # extension, what writes it, extension of the result
    (".png", still, ".png"),
    (".jpg", still, ".jpg"),
    (".webp", still, ".webp"),
    (".tif", deep, ".tif"),
    (".JPG", inks, ".JPG"),
    (".gif", moving, ".webp"),
    (".avif", still, ".avif"),
    (".bmp", still, ".bmp"),
    (".tiff", light, ".tiff"),
    (".apng", moving, ".png"),
    (".png", moving, ".png"),
    (".tif", moving, ".tif"),
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for number in range(COUNT):
        suffix, write, _ = KINDS[number % len(KINDS)]
        place = folder / ("deep" if number % 2 else "") / f"{number:02}{suffix}"
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, number)
    (folder / "cut.jpg").write_bytes((folder / "deep" / "01.jpg").read_bytes()[:700])
    (folder / "notes.txt").write_text("not a photo")
    return folder


def results(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


@pytest.mark.parametrize(
    ("workers", "at_once", "most"),
    [(("--workers", "1"), 1, COUNT // 2), ((), SMALL_WORKERS, COUNT)],
    ids=["one", "default"],
)
def test_killed_twice_a_folder_of_all_kinds_is_completed_with_a_report(
    tmp_path: Path, source: Path, model_files: Path, workers: tuple[str, ...], at_once: int, most: int
) -> None:
    target = tmp_path / "out"
    command = [sys.executable, "-m", "adair", "restore", str(source), "-r", "-o", str(target), "-t", "foundation"]
    command += ["--foundation", str(model_files / "foundation.safetensors"), "--device", "cpu", *workers]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for finished in (3, 5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
            assert process.stdout is not None
            for _ in range(finished):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        for path in results(target):
            assert read_image(path).pixels.size  # none is half-written
    for part in target.rglob("*.part"):
        os.utime(part, (time.time() - 2 * MINUTE,) * 2)  # younger ones are left alone
    before = {path: path.stat().st_mtime_ns for path in results(target)}
    assert 8 <= len(before) < most
    last = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert last.returncode == 1, last.stderr  # the photo that was cut off
    expected = {
        (Path("deep" if number % 2 else "") / f"{number:02}{KINDS[number % len(KINDS)][2]}") for number in range(COUNT)
    }
    assert {path.relative_to(target) for path in results(target)} == expected
    assert list(target.rglob("*.part")) == []
    again = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert len(again) <= 2 * at_once  # those that were done but not yet recorded
    lines = last.stderr.splitlines()
    skipped = len(before) - len(again)
    assert lines[-1] == f"adair: 61 files: {60 - skipped} restored, {skipped} already done, 1 failed"
    assert "cut.jpg: JPEG damaged" in lines[-2]
    assert any("notes.txt" in line and "skipped" in line for line in lines)
    once_more = subprocess.run([*command, "--json"], capture_output=True, text=True, env=environment)
    assert once_more.stderr.splitlines()[-1] == "adair: 61 files: 60 already done, 1 failed"
