"""The notebook, all of its cells in order, with steps and seeds that only show that it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "recipe_to_verdict.ipynb"


def test_from_the_recipe_to_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(NOTEBOOK.parents[1])
    monkeypatch.setenv("ADAIR_NOTEBOOK_QUICK", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "results are not kept in the repository"
            exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    out = capsys.readouterr().out
    assert "| adapter |" in out and "not decidable at this budget: The adapter beats the network from scratch" in out
