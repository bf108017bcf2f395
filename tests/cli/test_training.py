"""``adair pretrain`` and ``adair adapt`` as a person runs them: the installed command, in another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from adair.adapters import load_adapter
from adair.cli.main import main
from adair.cli.training import Terminal, end
from adair.train.run import Result
from adair.train.state import TrainState
from adair.weights import load_foundation

QUICK = ["--batch", "2", "--patch", "16", "--device", "cpu", "--precision", "fp32", "--validate-steps", "2"]


def adair(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adair", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``photos/``: three good ones and a text file in disguise."""
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((90, 70)).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "photos" / "notes.png").write_text("no image")
    return tmp_path


def test_from_photos_to_a_restored_image(folder: Path) -> None:
    shape = ["--width", "4", "--blocks", "1/1/1"]
    done = adair("pretrain", "--photos", "photos", "-o", "run", *shape, "--steps", "4", *QUICK, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "notes.png" in done.stderr
    assert "rain" in done.stderr  # the validation line names what it measured
    assert load_foundation(folder / "run" / "foundation.safetensors").card["training"]["steps"] == 4

    own = ["--photos", "photos", "--foundation", "run/foundation.safetensors", "--recipe", "jpeg(quality=10)"]
    done = adair("adapt", "scanner", *own, "--steps", "3", *QUICK, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "scanner.safetensors" in done.stdout
    foundation = load_foundation(folder / "run" / "foundation.safetensors")
    assert load_adapter(folder / "scanner.safetensors", foundation).task == "scanner"

    again = adair("adapt", "scanner", *own, "--steps", "3", *QUICK, folder=folder)
    assert again.returncode == 2
    assert "exists; choose another" in again.stderr
    more = adair("adapt", "scanner", *own, "--steps", "5", "--resume", *QUICK, folder=folder)
    assert more.returncode == 0, more.stderr
    assert "5 steps" in more.stdout

    saving = ["--checkpoint-part-mb", "1", "--checkpoint-keep", "2", "--checkpoint-precision", "bf16"]
    more = adair("adapt", "scanner", *own, "--steps", "2", "--restart-schedule", *saving, *QUICK, folder=folder)
    assert more.returncode == 0, more.stderr
    assert "7 steps" in more.stdout
    assert (folder / "scanner.checkpoint-5.safetensors").exists()

    weights = ["--foundation", "run/foundation.safetensors", "--adapter", "scanner.safetensors"]
    done = adair("restore", "photos/0.png", "--task", "scanner", *weights, "-o", "better.png", folder=folder)
    assert done.returncode == 0, done.stderr
    with Image.open(folder / "better.png") as image:
        assert image.size == (90, 70)


def test_a_signal_ends_pretraining_with_130(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Terminal, "on_step", lambda self, state: os.kill(os.getpid(), signal.SIGTERM))
    words = ["pretrain", "--photos", "photos", "-o", "run", "--width", "4", "--blocks", "1/1/1", *QUICK]
    assert main([*words, "--steps", "9"]) == 130
    assert "1 steps" in (printed := capsys.readouterr().out) and "stopped early; continue with --resume" in printed
    assert (folder / "run" / "foundation.safetensors").exists()


def test_only_a_signal_to_a_single_process_changes_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A planned end is none, and a launcher of several processes would take the code for a crash."""
    end(Result(Path("a"), TrainState(finished=True, interrupted=True)))
    assert not capsys.readouterr().out
    end(Result(Path("a"), TrainState()))
    end(Result(Path("a"), TrainState(interrupted=True), processes=2))
    with pytest.raises(typer.Exit) as exit:
        end(Result(Path("a"), TrainState(interrupted=True)))
    assert exit.value.exit_code == 130
    assert capsys.readouterr().out.count("stopped early; ") == 3


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["adapt", "scanner", "--photos", "photos"], "--recipe"),
        (["adapt", "mine", "--photos", "nowhere", "--recipe", "noise(sigma=5)"], "nowhere"),
        (["adapt", "mine", "--photos", "photos", "--recipe", "nois(sigma=5)"], "noise"),
        (["pretrain", "--photos", "photos", "-o", "run", "--patch", "large"], "large"),
        (["pretrain", "--photos", "photos", "-o", "run", "--schedule", "space"], "space"),
        (["pretrain", "--photos", "photos", "-o", "run", "--backbone", "unet"], "nafnet"),
        (["pretrain", "--photos", "photos", "-o", "run", "--resume"], "without --resume"),
        (["pretrain", "--photos", "photos", "-o", "run", "--checkpoint-part-mb", "0.1"], "checkpoint-part-mb"),
        (["pretrain", "--photos", "photos", "-o", "run", "--start", "none.safetensors"], "none.safetensors"),
    ],
)
def test_mistakes_are_named_in_one_line(folder: Path, words: list[str], named: str) -> None:
    done = adair(*words, folder=folder)
    assert done.returncode == 2
    assert named in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("*.safetensors"))


def test_a_file_holds_the_settings_and_flags_override_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    text = '[data]\nphotos = "photos"\nrecipe = "noise(sigma=25)"\n[network]\nwidth = 4\nblocks = "1/1/1"\n'
    (folder / "run.toml").write_text(text + "[schedule]\nsteps = 50\n")
    assert main(["pretrain", "--config", "run.toml", "-o", "run", "--steps", "2", *QUICK]) == 0
    assert load_foundation(folder / "run" / "foundation.safetensors").card["training"]["steps"] == 2
    assert "steps = 2\n" in (folder / "run" / "foundation.config.toml").read_text()
    (folder / "run.toml").write_text("[schedule]\nstep = 50\n")
    assert main(["adapt", "--config", "run.toml"]) == 2
    assert "schedule.step; the nearest known one is schedule.steps" in capsys.readouterr().err
