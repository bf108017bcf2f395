"""A tiny foundation with adapters, as a restorer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adair.export import compare
from adair.restore import Restorer


@pytest.fixture(scope="session")
def model_files(make_model: Callable[..., Path]) -> Path:
    """Folder with foundation.safetensors and the adapters denoise, dejpeg, sr and deblur."""
    tasks = ("denoise", "dejpeg", "sr", "deblur")
    return make_model(dict.fromkeys(tasks, "merge"), levels=2, card={"licence": "CC0-1.0"})


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare small parts of the photos, for speed."""
    monkeypatch.setattr(compare, "SIDE", 96)


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    made = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    for task in ("denoise", "dejpeg", "sr", "deblur"):
        made.add_adapter(model_files / f"{task}.safetensors")
    return made


@pytest.fixture
def photo() -> np.ndarray:
    """(H, W, 3) uint8 with noise, larger than a tile of 256."""
    rows, columns = np.mgrid[0:300, 0:420]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 200)
    noise = np.random.default_rng(1).normal(0, 0.05, (300, 420, 3))
    return ((np.stack([waves, waves**2, 1 - waves], -1) + noise).clip(0, 1) * 255).astype(np.uint8)
