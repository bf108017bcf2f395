"""``adair adapt`` with pairs and with noisy pictures alone, as a person runs it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.adapters import load_adapter
from adair.backbones import build_backbone
from adair.cli.main import main
from adair.degradations import degrade
from adair.weights import load_foundation, save_foundation

SHAPE = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}
SMALL = ["--batch", "2", "--patch", "16", "--device", "cpu", "--precision", "fp32"]
QUICK = [*SMALL, "--steps", "4"]
FOUNDATION = ["--foundation", "foundation.safetensors"]
OWN = [*FOUNDATION, *QUICK]


def adair(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adair", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A foundation, ``clean/`` with three pictures, ``noisy/`` with the same and noise, and one more."""
    torch.manual_seed(0)
    save_foundation(tmp_path / "foundation.safetensors", "nafnet", SHAPE, build_backbone("nafnet", SHAPE).state_dict())
    rng = np.random.default_rng(0)
    for name in ("clean", "noisy", "small"):
        (tmp_path / name).mkdir()
    for i in range(4):
        cells = Image.fromarray(rng.integers(60, 200, (9, 11, 3), dtype=np.uint8))
        image = cells.resize((128, 112), Image.Resampling.BICUBIC)
        degrade(image, "noise(sigma=20)", seed=i).save(tmp_path / "noisy" / f"{i}.png")
        image.resize((64, 56), Image.Resampling.BICUBIC).save(tmp_path / "small" / f"{i}.png")
        if i < 3:
            image.save(tmp_path / "clean" / f"{i}.png")
    return tmp_path


def test_from_pairs_to_an_adapter_with_its_page(folder: Path) -> None:
    done = adair("adapt", "scanner", "--pairs", "noisy", "clean", *OWN, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stderr and "3.png" in done.stderr
    assert "only 3 photos" in done.stdout
    use = "adair restore PHOTO --adapter scanner.safetensors --task scanner --foundation foundation.safetensors"
    assert f"use it: {use}\n" in done.stdout
    foundation = load_foundation(folder / "foundation.safetensors")
    card = load_adapter(folder / "scanner.safetensors", foundation).card
    assert card["recipe"] == "given pairs"
    with Image.open(folder / "scanner.sheet.png") as sheet:
        assert sheet.width >= 3 * 112
    page = (folder / "scanner.html").read_text()
    assert use in page and page.count("data:image/webp") == 3 and "http" not in page.split("<body>")[1]

    again = adair("adapt", "scanner", "--pairs", "noisy", "clean", *OWN, folder=folder)
    assert again.returncode == 2 and "exists; choose another" in again.stderr
    more = adair("adapt", "scanner", "--pairs", "noisy", "clean", *OWN, "--steps", "6", "--resume", folder=folder)
    assert more.returncode == 0, more.stderr
    assert "6 steps" in more.stdout


def test_a_signal_ends_it_early_with_130(folder: Path) -> None:
    words = ["--pairs", "noisy", "clean", *FOUNDATION, *SMALL, "--steps", "1000000", "--validate-steps", "1"]
    command = [sys.executable, "-m", "adair", "adapt", "scanner", *words, "--learning-rate", "1e-9"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stdout is not None
        assert any(line.startswith("step ") for line in process.stderr)  # it has begun
        process.send_signal(signal.SIGINT)
        printed, rest = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert "stopped early; continue with --resume" in printed and "interrupted" in rest
    steps = re.findall(r": (\d+) steps, |average at step (\d+), the best", printed)
    assert f"<th>weights of step</th><td>{''.join(steps[-1])}</td>" in (folder / "scanner.html").read_text()
    assert (folder / "scanner.safetensors").exists() and (folder / "scanner.checkpoint.safetensors").exists()

    planned = [*words[:-2], "--validate-steps", "100", "--max-minutes", "0.001", "--resume"]
    done = adair("adapt", "scanner", *planned, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "stopped early; continue with --resume" in done.stdout


def test_noisy_pictures_alone(folder: Path) -> None:
    words = ["--degraded-only", "noisy", *FOUNDATION, *SMALL, "--minutes", "0.02"]
    done = adair("adapt", "grain", *words, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "stopped early" not in done.stdout  # the schedule ended with the minutes
    assert "warning: without clean images nothing tells" in done.stdout
    foundation = load_foundation(folder / "foundation.safetensors")
    card = load_adapter(folder / "grain.safetensors", foundation).card
    assert "noisy targets" in card["validation"]["protocol"]
    assert (folder / "grain.sheet.png").exists()


def test_pairs_of_two_sizes_make_super_resolution(folder: Path) -> None:
    done = adair("adapt", "scanner", "--pairs", "small", "clean", *OWN, folder=folder)
    assert done.returncode == 2
    assert "name it sr" in done.stderr
    done = adair("adapt", "sr", "--pairs", "small", "clean", *OWN, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "--task sr --scale 2" in done.stdout
    own = ["--foundation", "foundation.safetensors", "--adapter", "sr.safetensors", "--scale", "2", "-o", "large.png"]
    done = adair("restore", "small/0.png", "--task", "sr", *own, folder=folder)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "large.png") as image:
        assert image.size == (128, 112)


def test_a_task_of_the_zoo_brings_its_recipe(folder: Path) -> None:
    done = adair("adapt", "deband", "--photos", "clean", *OWN, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "8 levels: input" in done.stdout
    card = load_adapter(folder / "deband.safetensors", load_foundation(folder / "foundation.safetensors")).card
    assert card["recipe"] == "banding(levels=6..32)"


@pytest.mark.parametrize("name", ["auto", "foundation", "a/b", "a=1", "größe", "_mine"])
def test_names_that_no_command_could_use_are_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["adapt", name, "--photos", "clean", "--recipe", "noise(sigma=5)"]) == 2
    assert f"{name}: cannot be the name of a task" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--photos", "clean", "--pairs", "noisy", "clean"], "give one of"),
        ([], "give one of"),
        (["--pairs", "noisy", "clean", "--recipe", "noise(sigma=5)"], "--recipe"),
        (["--pairs", "noisy", "nowhere"], "nowhere"),
        (["--degraded-only", "clean"], "no noise"),
        (["--photos", "clean", "--recipe", "noise(sigma=0)"], "nothing to learn"),
        (["--photos", "clean"], "mine: not a known task (denoise, "),
        (["--photos", "clean", "--recipe", "noise(sigma=5)", "--minutes", "1"], "--minutes and --steps"),
        (
            ["--photos", "clean", "--recipe", "noise(sigma=5)", "--max-minutes", "0"],
            "--max-minutes 0: must be positive",
        ),
    ],
)
def test_mistakes_are_named_in_one_line(
    folder: Path, words: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["adapt", "mine", *words, *OWN]) == 2
    assert named in capsys.readouterr().err.splitlines()[-1]
    assert not (folder / "mine.safetensors").exists()
