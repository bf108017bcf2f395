"""Training for the page: a real run of a few seconds, stopping, and requests that cannot work."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.errors import AdairError, InputError
from adair.restore import Restorer
from adair.ui.training_job import TrainingJob, TrainingRequest, TrainingState

TINY = ["--validate-steps", "2", "--batch", "1", "--patch", "32", "--device", "cpu"]


def photos(folder: Path, noise: float = 0) -> tuple[Path, ...]:
    """Three photo-like pictures, the same ones at every call, under a hostile name and two plain ones."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    paths = []
    for name in ("-a;b.png", "two.png", "three.png"):
        small = generator.integers(0, 256, (12, 12, 3), np.uint8)
        large = np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)).astype(float)
        large += generator.normal(0, 1, large.shape) * noise
        paths.append(folder / name)
        Image.fromarray(large.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return tuple(paths)


def ended(job: TrainingJob) -> TrainingState:
    *_, state = job.watch(every=0.1)
    return state


def pretend(code: str) -> list[str]:
    """A program that takes the words of the command line and does something else."""
    return [sys.executable, "-uc", code]


def request_of(tmp_path: Path, **more: object) -> TrainingRequest:
    (tmp_path / "run").mkdir()
    return TrainingRequest("scanner", photos(tmp_path / "clean"), recipe="noise(sigma=20)", **more)  # type: ignore[arg-type]


def test_a_run_gives_a_curve_a_sheet_and_a_task(restorer: Restorer, model_files: Path, tmp_path: Path) -> None:
    request = request_of(tmp_path, minutes=0.1)
    state = ended(TrainingJob(request, tmp_path / "run", model_files / "foundation.safetensors", TINY))
    assert state.over and state.adapter is not None, state.lines
    steps = [step for step, _, _ in state.curve]
    assert steps[:2] == [0, 2] and steps == sorted(set(steps)), state.lines
    assert not any(str(tmp_path) in line for line in state.lines)  # the page offers files, not their places
    assert all(0 < value < 100 for _, _, value in state.curve)
    assert state.sheet is not None and state.files[0].name == "scanner.safetensors"
    assert restorer.add_adapter(state.adapter) == "scanner"


def test_the_words_are_those_of_the_command(tmp_path: Path) -> None:
    shown = "import sys; print('\\n'.join(sys.argv[1:]))"
    job = TrainingJob(request_of(tmp_path, minutes=3.0), tmp_path / "run", None, ("--seed", "1"), pretend(shown))
    run = tmp_path / "run"
    expected = ["adapt", "scanner", "--photos", str(run / "clean"), "--recipe", "noise(sigma=20)", "--minutes", "3"]
    named = [word.removeprefix(f"{run}/") for word in expected]
    assert [*ended(job).lines] == [*named, "--output", "scanner.safetensors", "--validate-steps", "50", "--seed", "1"]
    assert sorted(path.name for path in (run / "clean").iterdir()) == ["-a_b.png", "three.png", "two.png"]
    pairs = TrainingRequest("scanner", photos(tmp_path / "b"), photos(tmp_path / "c", noise=9))
    (tmp_path / "again").mkdir()
    words = pairs.lay_out(tmp_path / "again")
    assert words == ["--pairs", str(tmp_path / "again" / "degraded"), str(tmp_path / "again" / "clean")]


def test_the_curve_is_read_from_what_is_printed(tmp_path: Path) -> None:
    first = (
        "step 100  2.3 it/s  loss 0.01  rate 1e-03  0.7 min  PSNR: noise 25 31.02 (input 20.30)  x2 -1.50 (input 3.00)"
    )
    second = first.replace("100", "200").replace("31.02", "32.00")
    last = "scanner.safetensors: 230 steps, 1.5 minutes"
    result = "  noise 25: input 20.30 dB, restored 32.50 dB"
    said = (
        f"print({first!r}); print({second!r}); print({last!r}); print({result!r}); print('use it: adair restore PHOTO')"
    )
    state = ended(TrainingJob(request_of(tmp_path), tmp_path / "run", None, (), pretend(said)))
    assert [(step, value) for step, name, value in state.curve if name == "x2"] == [(0, 3.0), (100, -1.5), (200, -1.5)]
    noise = [(step, value) for step, name, value in state.curve if name == "noise 25"]
    assert noise == [(0, 20.3), (100, 31.02), (200, 32.0), (230, 32.5)]
    assert state.lines == (first, second, last, result)


def test_stopping_asks_it_to_end_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    pathlib.Path(sys.argv[sys.argv.index('--output') + 1]).write_bytes(b'best'); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready'); time.sleep(600)"
    )
    job = TrainingJob(request_of(tmp_path), tmp_path / "run", None, (), pretend(code))
    for state in job.watch(every=0.05):
        assert state.over or state.adapter is None
        assert job.running == (not state.over)
        if state.lines:
            job.stop()
    assert state.over and state.adapter is not None and state.adapter.read_bytes() == b"best"
    job.stop()  # once more does no harm


def test_it_ends_with_the_page(tmp_path: Path) -> None:
    """A page that ends asks its training to end: here the training says so in a file."""
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        "    pathlib.Path('ended').touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready'); time.sleep(600)"
    )
    (tmp_path / "run").mkdir()
    photos(tmp_path / "clean")
    page = (
        "import sys; from pathlib import Path; from adair.ui.training_job import TrainingJob, TrainingRequest\n"
        "request = TrainingRequest('scanner', tuple(Path('clean').resolve().iterdir()), recipe='noise(sigma=20)')\n"
        f"job = TrainingJob(request, Path('run').resolve(), None, (), [sys.executable, '-uc', {code!r}])\n"
        "next(state for state in job.watch(0.05) if state.lines)"
    )
    assert subprocess.run([sys.executable, "-c", page], cwd=tmp_path, check=False).returncode == 0
    end = time.monotonic() + 60
    while not (tmp_path / "run" / "ended").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_went_wrong_is_in_the_lines(tmp_path: Path) -> None:
    code = "import sys; sys.exit('adair: no photos')"
    state = ended(TrainingJob(request_of(tmp_path), tmp_path / "run", None, (), pretend(code)))
    assert state.adapter is None and state.sheet is None and state.files == []
    assert state.lines == ("adair: no photos",)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "../x"}, "a name of its own"),
        ({"name": "auto"}, "a name of its own"),
        ({"name": ""}, "a name of its own"),
        ({"clean": ()}, "no clean photos"),
        ({"minutes": 0}, "minutes 0"),
        ({"minutes": 1e9}, "minutes 1e"),
        ({"recipe": "noise("}, "noise"),
        ({"recipe": ""}, "recipe"),
    ],
)
def test_requests_that_cannot_work(values: dict[str, object], reason: str) -> None:
    given = {"name": "scanner", "clean": (Path("a.png"),), "recipe": "noise(sigma=1)"} | values
    with pytest.raises(AdairError, match=reason):
        TrainingRequest(**given)  # type: ignore[arg-type]


def test_two_photos_of_one_name_are_refused(tmp_path: Path) -> None:
    first, second = photos(tmp_path / "x")[1], photos(tmp_path / "y")[1]
    with pytest.raises(InputError, match=r"two\.png: two photos"):
        TrainingRequest("a", (first, second), recipe="noise(sigma=1)").lay_out(tmp_path)
