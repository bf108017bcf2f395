"""The weights that ship: small enough, and each adapter better than its input and than the frozen foundation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adair.degradations import parse_recipe, resize
from adair.metrics import psnr, quantise
from adair.restore import Restorer
from adair.weights import bundled_adapters, bundled_foundation

PHOTOS = Path(__file__).resolve().parents[2] / "examples" / "photos"

# What each task is given, and how many dB it must at least gain on crops of the example photos. The floors lie a little
# below what the bundled weights reach (0.3 dB or so), and follow them: weights never get worse unnoticed.
FLOORS = {
    "denoise": ("noise(sigma=20) > jpeg(quality=90)", 4.5),
    "gaussian-denoise": ("noise(sigma=25)", 8.65),
    "sr": ("downscale(scale=2)", 1.55),
    "deblur": ("blur(sigma=2)", 3.85),
    "derain": ("rain(amount=0.1, angle=20, length=35, width=1.5, brightness=0.4, haze=0, blend=screen)", 7.5),
    "dejpeg": ("jpeg(quality=10)", 1.2),
}


@pytest.fixture(scope="module")
def restorer() -> Iterator[Restorer]:
    yield Restorer.load(device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def crops() -> Tensor:
    """The middle 128x128 pixels of each example photo, (3, 3, 128, 128)."""
    cuts = []
    for path in sorted(PHOTOS.glob("*.webp")):
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        top, left = (side // 2 - 64 for side in pixels.shape[:2])
        cuts.append(torch.from_numpy(pixels[top : top + 128, left : left + 128]).permute(2, 0, 1))
    return torch.stack(cuts).float() / 255


def test_the_bundle_fits_its_limits() -> None:
    assert set(bundled_adapters()) == set(FLOORS)
    assert bundled_foundation().stat().st_size <= 20e6
    for path in bundled_adapters().values():
        assert path.stat().st_size <= 1.9e6, path.name


@pytest.mark.parametrize("task", FLOORS)
def test_each_adapter_gains_on_its_task_and_beats_the_foundation(restorer: Restorer, crops: Tensor, task: str) -> None:
    recipe, floor = FLOORS[task]
    given = parse_recipe(recipe).run(crops, torch.Generator().manual_seed(0))
    enlarged = resize(given, (128, 128)) if task == "sr" else given

    def quality(image: Tensor) -> float:
        return float(psnr(quantise(image), crops).mean())

    plain, foundation = quality(enlarged), quality(restorer.restore(enlarged, task="foundation"))
    adapted = quality(restorer.restore(given, task=task))
    print(f"{task}: input {plain:.2f}, foundation {foundation:.2f}, adapter {adapted:.2f} dB")
    assert adapted > foundation
    assert adapted > plain + floor


def test_bf16_gives_the_same_picture(restorer: Restorer, crops: Tensor) -> None:
    given = parse_recipe("noise(sigma=25)").apply(crops, torch.Generator().manual_seed(0))
    coarse = Restorer.load(device="cpu", precision="bf16")
    exact, fast = (float(psnr(quantise(r.restore(given, "denoise")), crops).mean()) for r in (restorer, coarse))
    assert abs(exact - fast) < 0.05


def test_tiles_overlap_enough_for_a_trained_network(restorer: Restorer) -> None:
    """Networks of random weights hardly look around; the bundled one does, and noise makes it look hardest."""
    with Image.open(PHOTOS / "kitten.webp") as image:
        photo = np.array(image.convert("RGB"))
    wide = np.concatenate([photo, photo[:, ::-1]], 1)[:256, :640]
    noisy = wide + np.random.default_rng(0).normal(0, 50, wide.shape)
    noisy = noisy.clip(0, 255).astype(np.uint8)
    whole = restorer.restore(noisy, "denoise", tile=0).astype(int)
    seams = np.abs(whole - restorer.restore(noisy, "denoise", tile=448))
    assert seams.max() <= 2  # 4 with an overlap of 64 pixels
    assert seams.mean() <= 0.012  # 0.005; 0.020 with an overlap of 128 pixels
