"""``adair study``: from the plan to the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main

TINY = ["--photos", "photos", "-o", "runs", "--budget", "tiny", "--device", "cpu", "--precision", "fp32"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``photos``."""
    (tmp_path / "photos").mkdir()
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((96, 84)).save(tmp_path / "photos" / f"{seed}.png")
    return tmp_path


def test_a_study_from_plan_to_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words = ["study", "backbones", *TINY]
    assert main([*words, "--plan"]) == 0
    told = capsys.readouterr().err
    assert "40 jobs, 1 done, 39 to do: about" in told and "figures are meaningless" in told
    assert len(list((folder / "runs" / "cells").rglob("result.json"))) == 1  # of the width that takes equal seconds

    assert main([*words, "--max-minutes", "0.001", "--markdown", "page.md"]) == 0
    told = capsys.readouterr()
    assert "backbones: 1 of 40 jobs are done; the same command goes on" in told.err and not told.out
    assert not (folder / "page.md").exists()

    out = ["--max-minutes", "60", "--json", "cells.json", "--markdown", "page.md", "--latex", "tex", "--csv", "csv"]
    assert main([*words, *out, "--jobs", "1"]) == 0
    done = capsys.readouterr().out
    assert "not decidable at this budget: With adapters and equal parameters" in done
    page = (folder / "page.md").read_text()
    assert "Meaningless" in page and "| restormer, AdaIR |" in page
    assert "restormer, AdaIR" in (folder / "csv" / "backbones-1.csv").read_text()
    assert "restormer, AdaIR" in (folder / "tex" / "backbones-1.tex").read_text()
    jobs = json.loads((folder / "cells.json").read_text())
    assert "Meaningless" in jobs["note"] and len(jobs["studies"][0]["cells"]) == 40

    assert main([*words, *out, "--overwrite"]) == 0
    again = capsys.readouterr()
    assert "40 done, 0 to do" in again.err and again.out == done
    assert json.loads((folder / "cells.json").read_text()) == jobs
    assert main([*words, "--markdown", "page.md"]) == 2
    assert "page.md: exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["strategie", *TINY], "unknown study 'strategie'; choose one of strategies"),
        (["adapters", *TINY, "--budget", "huge"], "--budget huge: choose one of tiny, cpu, bundled, gpu"),
        (["adapters", *TINY, "--photos", "nowhere"], "nowhere: not a folder"),
        (["adapters", *TINY, "--json", "photos"], "photos: exists"),
        (["adapters", *TINY, "--max-minutes", "nan"], "--max-minutes nan: must be positive"),
    ],
)
def test_bad_use_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    assert main(["study", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
