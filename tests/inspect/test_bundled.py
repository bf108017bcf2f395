"""The bundled estimator on photos that it never saw: it finds what was done to them, and leaves them alone as they are.

The figures on whole test sets are made by ``benchmarks/auto.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import degrade
from adair.inspect import Inspector, advise
from adair.weights import bundled_adapters

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.webp"))
DAMAGE = {  # recipe, task, and the range that the level must lie in
    "noise(sigma=15)": ("denoise", 10, 20),
    "noise(sigma=25, clip=false)": ("denoise", 20, 30),
    "noise(sigma=50)": ("denoise", 40, 55),
    "blur(sigma=1.6)": ("deblur", 1.1, 2.1),
    "blur(sigma=3)": ("deblur", 2.3, 3.5),
    "resize(scale=2)": ("sr", 1.5, 2.7),
    "resize(scale=4)": ("sr", 3.0, 4.0),
    "rain(amount=0.1, angle=20, length=35, width=1.5, brightness=0.4, haze=0, blend=screen)": ("derain", 1.5, 30),
    "jpeg(quality=10)": ("dejpeg", 8, 25),
    "jpeg(quality=40)": ("dejpeg", 25, 60),
}


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector()


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    """The middle 288x384 pixels of each example photo."""
    cuts = []
    for path in PHOTOS:
        with Image.open(path) as image:
            left, top = (image.width - 384) // 2, (image.height - 288) // 2
            cuts.append(np.array(image.convert("RGB").crop((left, top, left + 384, top + 288))))
    return cuts


def test_clean_photos_are_left_alone(inspector: Inspector, photos: list[np.ndarray]) -> None:
    assert photos
    for photo in photos:
        assert advise(inspector.inspect(photo), bundled_adapters()).plan == ()


@pytest.mark.parametrize("recipe", DAMAGE)
def test_damage_is_found_and_measured(inspector: Inspector, photos: list[np.ndarray], recipe: str) -> None:
    task, low, high = DAMAGE[recipe]
    for photo in photos:
        worse = degrade(photo / np.float32(255), recipe, seed=0)
        advice = advise(inspector.inspect(np.asarray(worse)), bundled_adapters())
        assert advice.main is not None, recipe
        assert advice.main.task == task, str(advice)
        assert low <= advice.main.level <= high, str(advice)


def test_gray_photos_are_judged_too(inspector: Inspector, photos: list[np.ndarray]) -> None:
    gray = photos[0].mean(2, keepdims=True).round().astype(np.uint8)
    noisy = gray + 25 * torch.randn(gray.shape, generator=torch.Generator().manual_seed(0)).numpy()
    advice = advise(inspector.inspect(noisy.clip(0, 255).astype(np.uint8)), bundled_adapters())
    assert advice.main is not None and advice.main.task == "denoise"
    assert advise(inspector.inspect(gray), bundled_adapters()).main is None
