from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.train.photos import Pixels, open_store
from adair.train.selfsupervised import SelfSupervised, noise_facts, open_noisy
from adair.train.validation import make_validation_sets

SMOOTH = ["noise(sigma=5)", "noise(sigma=25)", "poisson(peak=100)"]
CORRELATED = [
    "noise(sigma=25) > blur(sigma=0.6)",
    "noise(sigma=25) > jpeg(quality=40)",
    "noise(sigma=25) > resize(scale=2)",
]


def smooth(seed: int = 0, height: int = 140, width: int = 160) -> Pixels:
    cells = np.random.default_rng(seed).integers(60, 200, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture
def noisy() -> Callable[..., Pixels]:
    def make(recipe: str, seed: int = 0) -> Pixels:
        x = torch.from_numpy(smooth(seed).copy()).permute(2, 0, 1)[None].float() / 255
        y = parse_recipe(recipe).apply(x, torch.Generator().manual_seed(seed)).clamp(0, 1)
        return (y[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()

    return make


def test_the_target_is_the_input_where_the_picture_is_straight() -> None:
    """Any function of the row plus any function of the column, not only smooth ones."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.rand((2, 3, 33, 1), generator=generator), torch.rand((2, 3, 1, 33), generator=generator)
    target, view = SelfSupervised().pair(rows + columns, generator)
    assert target.shape == view.shape == (2, 3, 16, 16)
    assert torch.allclose(target, view, atol=1e-5)


def test_no_pixel_is_in_both() -> None:
    """Else noise would be learnt: the target must not change with the input's pixels, nor the input with others."""
    patch = torch.rand((1, 3, 17, 17), generator=torch.Generator().manual_seed(0))
    other = patch.clone()
    other[..., 1::2, 1::2] = 0
    generator = torch.Generator()
    (target, view), (same, empty) = SelfSupervised().pair(patch, generator), SelfSupervised().pair(other, generator)
    assert torch.equal(target, same)
    assert view.abs().sum() > 0 == empty.abs().sum()


def test_the_loss_is_least_at_the_clean_picture() -> None:
    """Of all constants, the mean square picks the mean of skewed noise, which the mean difference would miss."""
    noisy = torch.rand(20000, generator=torch.Generator().manual_seed(0)) ** 3
    losses = {c / 50: float(SelfSupervised().loss(torch.full_like(noisy, c / 50), noisy)) for c in range(50)}
    assert min(losses, key=lambda c: losses[c]) == pytest.approx(float(noisy.mean()), abs=0.02)


@pytest.mark.parametrize("recipe", SMOOTH)
def test_independent_noise_is_taken(recipe: str, noisy: Callable[..., Pixels]) -> None:
    facts = noise_facts(noisy(recipe))
    assert facts.fault is None
    if recipe == "noise(sigma=25)":
        assert facts.sigma == pytest.approx(25, rel=0.08)


@pytest.mark.parametrize("recipe", CORRELATED)
def test_correlated_noise_is_refused(recipe: str, noisy: Callable[..., Pixels]) -> None:
    assert "correlated" in (noise_facts(noisy(recipe)).fault or "")


def test_images_without_noise_or_room_are_left_out_and_named(tmp_path: Path, noisy: Callable[..., Pixels]) -> None:
    folder = tmp_path / "noisy"
    folder.mkdir()
    images = {"clean": smooth(), "good": noisy("noise(sigma=20)"), "small": noisy("noise(sigma=20)")[:80]}
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")
    store = open_noisy(folder, tmp_path / "cache", 64)
    assert store.names == ("good.png",)
    assert "no noise" in store.skipped[0] and "too small" in store.skipped[1]
    with pytest.raises(AdairError, match="--pairs"):
        open_noisy(folder / "clean.png", tmp_path / "cache", 64)


def test_validation_mirrors_no_pixel(tmp_path: Path, noisy: Callable[..., Pixels]) -> None:
    Image.fromarray(noisy("noise(sigma=20)")).save(tmp_path / "a.png")
    store = open_store(tmp_path, tmp_path / "cache")
    target, view = make_validation_sets(store, {"noisy": SelfSupervised()}, torch.device("cpu"))["noisy"]
    assert target.shape == view.shape == (1, 3, 69, 69)
