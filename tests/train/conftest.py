"""A folder of small photos, and settings that a test can afford."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.degradations import parse_recipe
from adair.train.config import TrainConfig
from adair.train.objectives import SyntheticPairs
from adair.train.photos import PhotoStore, open_store
from adair.train.settings import RunSettings, Schedule
from adair.train.state import Callback, TrainState

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
def make_settings() -> Callable[..., RunSettings]:
    """``make_settings(recipe=..., steps=...)``: a short run of tiny patches; keywords override."""

    def make(recipe: str = "noise(sigma=25)", rate: float = 3e-3, **rest: Any) -> RunSettings:
        settings = {"steps": 6, "batch": 2, "patches": ((0.0, 16),), "validate_steps": 1000, **rest}
        return RunSettings(
            objective=SyntheticPairs(parse_recipe(recipe)), schedule=Schedule(rate, warmup=2), **settings
        )

    return make


class Follow(Callback):
    """Hands what happens to functions."""

    def __init__(self, step: Callable[[TrainState], None] | None, message: Callable[[str], None] | None) -> None:
        self._step, self._message = step, message

    def on_step(self, state: TrainState) -> None:
        """Pass the state on."""
        if self._step:
            self._step(state)

    def on_message(self, line: str) -> None:
        """Pass the line on."""
        if self._message:
            self._message(line)


@pytest.fixture
def follow() -> Callable[..., Callback]:
    """``follow(step, message)``: a callback that calls these functions."""

    def make(
        step: Callable[[TrainState], None] | None = None, message: Callable[[str], None] | None = None
    ) -> Callback:
        return Follow(step, message)

    return make


@pytest.fixture
def make_config(photo_folder: Path) -> Callable[..., TrainConfig]:
    """``make_config(task, recipe, ...)``: a run of six steps from the folder of photos; sections override."""

    def make(task: str | None = None, recipe: str = "noise(sigma=25)", **rest: Any) -> TrainConfig:
        settings: dict[str, Any] = {
            "data": {"photos": photo_folder, "recipe": recipe},
            "schedule": {"steps": 6},
            "optimiser": {"batch": 2, "patch": "16"},
            **rest,
        }
        return TrainConfig(task=task, device="cpu", precision="fp32", **settings)

    return make
