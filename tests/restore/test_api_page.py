"""docs/api.md: what it calls public is, and its examples run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adair
from adair.restore import Restorer, single, write_image

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_every_public_name_is_on_the_page() -> None:
    missing = [name for name in adair.__all__ if f"`{name}`" not in PAGE and name not in ("__version__",)]
    assert missing == []


def test_the_examples_run_in_order(
    restorer: Restorer, model_files: Path, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Restorer, "load", lambda: restorer)
    monkeypatch.setattr(single, "_default", [])
    shutil.copy(model_files / "denoise.safetensors", "scanner.safetensors")
    write_image("scan.jpg", photo)
    write_image("photos/a.png", photo)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "docs/api.md", "exec"), names)
    assert Path("better.png").is_file() and Path("restored/a.png").is_file() and Path("mine.safetensors").is_file()
