"""``adair ui`` says what it lacks, and refuses bad limits before anything is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from adair.cli.main import main


def test_without_gradio_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["ui"]) == 2
    assert "pip install 'adair[ui]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--port", "99999"], "99999"), (["--folder", "missing"], "missing"), (["--queue", "0"], "queue")],
)
def test_bad_values_are_named(
    words: list[str], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["ui", *words]) == 2
    assert named in capsys.readouterr().err
