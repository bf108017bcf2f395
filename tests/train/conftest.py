"""A folder of small photos, and plans that a test can afford."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.degradations import parse_recipe
from adair.train.photos import PhotoStore, open_store
from adair.train.plan import Plan
from adair.train.schedule import Schedule

TINY = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}


def _smooth_photo(seed: int, width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of different sizes, two of them in a folder below."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "below").mkdir()
    for i in range(6):
        place = folder / "below" if i > 3 else folder
        _smooth_photo(i, 80 + 16 * i, 72 + 8 * i).save(place / f"photo{i}.png")
    return folder


@pytest.fixture(scope="session")
def photos(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> PhotoStore:
    return open_store(photo_folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def tiny_config() -> dict[str, Any]:
    return dict(TINY)


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """``make_plan(recipe=..., steps=...)``: a short plan of tiny patches; keywords override."""

    def make(recipe: str = "noise(sigma=25)", rate: float = 3e-3, **rest: Any) -> Plan:
        settings = {"steps": 6, "batch": 2, "patches": ((0.0, 16),), "validate_steps": 1000, **rest}
        return Plan(recipe=parse_recipe(recipe), schedule=Schedule(rate, warmup=2), **settings)

    return make
