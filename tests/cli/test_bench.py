"""``adair bench`` as a person runs it: the installed command, in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.backbones import build_backbone
from adair.cli.main import main
from adair.weights import save_foundation

CONFIG = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}
OURS = ["--method", "input", "--method", "ours", "--foundation", "foundation.safetensors", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tiny foundation, and ``data/CBSD68`` with two photos and a file that is none."""
    save_foundation(
        tmp_path / "foundation.safetensors", "nafnet", CONFIG, build_backbone("nafnet", CONFIG).state_dict()
    )
    (tmp_path / "data" / "CBSD68").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((48, 36)).save(tmp_path / "data" / "CBSD68" / f"{name}.png")
    return tmp_path


def adair(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "adair", *words], cwd=folder, capture_output=True, text=True)


def test_a_run_and_its_page(folder: Path) -> None:
    words = ["bench", "denoise", "--json", "rows.json", *OURS]
    done = adair(*words, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "CBSD68" in done.stdout and "[1] PSNR and SSIM on RGB; Gaussian noise, not clipped" in done.stdout
    assert "Urban100: adair data fetch Urban100 --into data" in done.stderr
    rows = json.loads((folder / "rows.json").read_text())
    assert [(row["setting"], row["method"]) for row in rows[:2]] == [("sigma 15", "input"), ("sigma 15", "foundation")]
    assert len(rows) == 12 and all(row["images"] == 2 and not row["published"] for row in rows)

    (folder / "data" / "CBSD68" / "a.png").write_bytes(b"")  # nothing is measured again, so nobody notices
    again = adair(*words, "--markdown", "page.md", folder=folder)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    assert "### CBSD68, noise not clipped" in (folder / "page.md").read_text()
    assert "page.md: exists" in adair(*words, "--markdown", "page.md", folder=folder).stderr


def run(*words: str) -> int:
    return main(["bench", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["denoize"], "unknown suite 'denoize'; did you mean 'denoise'?"),
        (["denoise", "--dataset", "Kodak"], "unknown test set 'Kodak'; did you mean 'Kodak24'?"),
        (["denoise", "--setting", "sigma 26"], "unknown setting 'sigma 26'; did you mean 'sigma 25'?"),
        (["denoise", "--method", "foundatoin"], "unknown method 'foundatoin'; did you mean 'foundation'?"),
        (["sr"], "data: contains none of the test sets; Set5: adair data fetch Set5 --into data"),
        (["denoise", "--json", "foundation.safetensors"], "foundation.safetensors: does not contain rows"),
        (["denoise", "--plots", "data"], "data: exists"),
    ],
)
def test_bad_use_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    assert run(*words, *OURS[4:]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_what_is_skipped_is_named_and_seen_in_the_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "data" / "CBSD68" / "c.png").write_text("no image")
    assert run("denoise", "--limit", "1", *OURS) == 0  # the third file is beyond the limit
    assert run("denoise", "--method", "input", *OURS[4:]) == 1
    assert capsys.readouterr().err.count("c.png: is not an image") == 1


def test_one_setting_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert run("denoise", "--setting", "sigma 25", "--json", "rows.json", *OURS[:2], *OURS[4:]) == 0
    rows = json.loads((folder / "rows.json").read_text())
    assert [(row["setting"], row["method"]) for row in rows] == [("sigma 25", "input")]


def test_a_report_measures_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words = ["denoise", "--json", "rows.json", *OURS[:2], *OURS[4:]]
    assert run(*words, "--report") == 2
    assert "give an existing one with --json" in capsys.readouterr().err
    assert run(*words, "--setting", "sigma 25") == 0
    one = (folder / "rows.json").read_text()
    capsys.readouterr()
    assert run(*words, "--report") == 0
    assert "sigma 25" in (text := capsys.readouterr().out) and "sigma 15" not in text
    assert (folder / "rows.json").read_text() == one

    assert run(*words, "--report", "--data", "nowhere", "--markdown", "page.md") == 0  # needs no test sets
    heard = capsys.readouterr()
    assert "sigma 25" in heard.out and "not here to check" in heard.err
    assert "sigma 25" in (folder / "page.md").read_text() and (folder / "rows.json").read_text() == one
    assert run("sr", *words[1:], "--report", "--data", "nowhere") == 2  # the file has no such rows


def test_published_rows_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert run("denoise", "--method", "published", "--json", "rows.json", *OURS[4:]) == 0
    rows = json.loads((folder / "rows.json").read_text())
    assert rows and all(row["published"] and row["images"] is None for row in rows)


def test_the_list(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    assert run("--list") == 0
    text = capsys.readouterr().out
    assert "2 of 68 images" in text and "adair data fetch Urban100" in text and "Lanczos" in text
    assert run("denoise", "--list") == 0
    text = capsys.readouterr().out
    assert "CBSD68" in text and "Rain100L" not in text
    assert run("denois", "--list") == 2
    assert "denois" in capsys.readouterr().err
