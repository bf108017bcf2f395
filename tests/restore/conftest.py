"""A tiny foundation with adapters, written to files as a user would have them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adair.restore import Restorer

TASKS = ("dejpeg", "denoise", "sr")


@pytest.fixture(scope="session")
def model_files(make_model: Callable[..., Path]) -> Path:
    """Folder with foundation.safetensors, an adapter per task, and branches.safetensors (kind conv)."""
    return make_model({**dict.fromkeys(TASKS, "merge"), "branches": "conv"}, levels=2)


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    """In float32 on the CPU, so that results do not depend on the machine."""
    made = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    for task in TASKS:
        made.add_adapter(model_files / f"{task}.safetensors")
    return made


@pytest.fixture
def photo() -> np.ndarray:
    """(H, W, 3) uint8: smooth, with an edge and some texture."""
    rows, columns = np.mgrid[0:60, 0:90]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 40)
    return (np.stack([waves, waves**2, 1 - waves], -1).clip(0, 1) * 255).astype(np.uint8)
