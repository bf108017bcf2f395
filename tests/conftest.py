"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published images and reference outputs, beside the checkout; without it the test is skipped."""
    folder = ROOT.parent / "shared"
    if not (folder / "data" / "test").is_dir():
        pytest.skip("needs the reference data in ../shared")
    return folder
