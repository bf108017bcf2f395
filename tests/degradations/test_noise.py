"""Noise has the spread that its formula says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import parse_recipe
from adair.metrics import psnr


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gray(level: float, side: int = 128) -> torch.Tensor:
    return torch.full((1, 3, side, side), level)


@pytest.mark.parametrize("sigma", [5, 25, 50])
def test_gaussian_noise_has_its_sigma_in_levels_of_255(sigma: int) -> None:
    error = parse_recipe(f"noise(sigma={sigma}, clip=false)").apply(gray(0.5), seeded()) - 0.5
    assert error.std().item() * 255 == pytest.approx(sigma, rel=0.02)
    assert error.mean().item() * 255 == pytest.approx(0, abs=0.05 * sigma)


def test_unclipped_noise_on_photos_has_the_published_psnr(shared: Path) -> None:
    recipe = parse_recipe("noise(sigma=25, clip=false)")
    for path in sorted((shared / "data/test/Kodak24").iterdir())[:2]:
        x = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        assert psnr(recipe.apply(x, seeded()), x).item() == pytest.approx(20.17, abs=0.02)


def test_sigma_differs_between_samples_and_fills_its_range() -> None:
    x = torch.full((200, 1, 16, 16), 0.5)
    spread = (parse_recipe("noise(sigma=0..50, clip=false)").apply(x, seeded()) - x).std(dim=(1, 2, 3)) * 255
    assert spread.min() < 3 and spread.max() > 45
    assert spread.mean().item() == pytest.approx(25, abs=3)


@pytest.mark.parametrize(("level", "peak"), [(0.2, 30), (0.8, 200)])
def test_poisson_noise_has_the_variance_of_counting(level: float, peak: float) -> None:
    noisy = parse_recipe(f"poisson(peak={peak}, clip=false)").apply(gray(level), seeded())
    assert noisy.mean().item() == pytest.approx(level, rel=0.01)
    assert noisy.var().item() == pytest.approx(level / peak, rel=0.05)


def test_camera_noise_has_the_variance_of_its_model_on_the_sensor() -> None:
    shot, read, red, blue = 0.002, 0.01, 2.0, 1.6
    recipe = parse_recipe(f"camera(shot={shot}, read={read}, red={red}, blue={blue}, mosaic=false)")
    noisy = recipe.apply(gray(0.7, 256), seeded())
    for channel, gain in enumerate((red, 1.0, blue)):
        sensor = noisy[:, channel].double().pow(2.2) / gain
        expected = shot * 0.7**2.2 / gain + read**2
        assert sensor.var().item() == pytest.approx(expected, rel=0.05)


def test_a_mosaic_makes_the_noise_of_red_and_blue_blotchy() -> None:
    def neighbours(mosaic: str) -> torch.Tensor:
        error = parse_recipe(f"camera(shot=0.005, mosaic={mosaic})").apply(gray(0.5), seeded()) - 0.5
        left, right = error[..., :-1], error[..., 1:]
        return (left * right).mean(dim=(0, 2, 3)) / error.square().mean(dim=(0, 2, 3))

    assert (neighbours("false").abs() < 0.05).all()
    assert (neighbours("true") > 0.3).all()


def test_salt_and_pepper_have_their_shares() -> None:
    x = parse_recipe("impulse(amount=0.2, salt=0.75)").apply(gray(0.5, 200), seeded())
    assert (x == 1).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (x == 0).float().mean().item() == pytest.approx(0.05, abs=0.01)
    assert ((x == 1).all(dim=1) | (x == 0).all(dim=1) | ((x > 0) & (x < 1)).all(dim=1)).all(), "whole pixels are lost"
