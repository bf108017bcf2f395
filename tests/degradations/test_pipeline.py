"""Grain has the spread and the size that it says; smoothing keeps edges; sharpening makes halos."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from adair.degradations import parse_recipe

LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grain(level: float, settings: str) -> Tensor:
    return parse_recipe(f"grain({settings})").apply(torch.full((4, 3, 128, 128), level), seeded()) - level


def luma(x: Tensor) -> Tensor:
    return (x * LUMA).sum(dim=1, keepdim=True)


def neighbours(x: Tensor) -> float:
    """Correlation of each value with the next one in its row."""
    return ((x[..., 1:] * x[..., :-1]).mean() / x.square().mean()).item()


@pytest.mark.parametrize("size", [0, 1, 3])
def test_the_spread_of_luma_is_sigma_whatever_the_size(size: float) -> None:
    error = luma(grain(0.5, f"sigma=20, size={size}, colour=0.5, blotch=4, shadows=0"))
    assert error.std().item() * 255 == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize(("size", "expected"), [(0, 0.0), (1, 0.124), (2, 0.708), (3, 0.857)])
def test_grain_is_as_coarse_as_its_size(size: float, expected: float) -> None:
    """A Gaussian of width w at half height correlates noise over d pixels by exp(-d^2 2 ln 2 / w^2); at a
    width of 1 pixel its samples are too far apart for that, and the sum over its three taps counts."""
    error = grain(0.5, f"sigma=20, size={size}, colour=0, shadows=0")
    assert neighbours(error) == pytest.approx(expected, abs=0.04)


def test_colour_noise_has_no_luma_and_its_own_size() -> None:
    error = grain(0.5, "sigma=20, size=0, colour=1, blotch=4, shadows=0")
    tint = error - luma(error)
    assert tint.std().item() * 255 > 10
    assert neighbours(tint) > 0.8
    assert neighbours(luma(error)) < 0.1
    plain = grain(0.5, "sigma=20, colour=0, shadows=0")
    assert (plain - luma(plain)).abs().max() < 1.1 / 255, "without colour all channels share their noise"


def test_shadows_carry_more_noise() -> None:
    dark, bright = (grain(level, "sigma=10, size=1, colour=0, shadows=0.6").std() for level in (0.25, 0.75))
    assert (dark / bright).item() == pytest.approx(1.3 / 0.7, rel=0.06)


def test_smoothing_flattens_noise_and_keeps_edges() -> None:
    edge = (torch.arange(64) >= 32).float().mul(0.6).add(0.2).expand(2, 3, 64, 64)
    noisy = edge + 0.02 * torch.randn(2, 1, 64, 64, generator=seeded())  # gray: it is in the guide
    smooth = parse_recipe("smooth(radius=3, threshold=0.08, strength=1)").apply(noisy, seeded())
    flat = smooth[..., :24].std() / noisy[..., :24].std()
    assert flat < 0.4
    step = (smooth[..., 32] - smooth[..., 31]).mean().item()
    assert step == pytest.approx(0.6, abs=0.05)
    weak = parse_recipe("smooth(radius=3, threshold=0.001, strength=1)").apply(noisy, seeded())
    assert (weak - noisy).abs().mean() < 0.1 * (smooth - noisy).abs().mean()


def test_every_sample_has_its_own_window() -> None:
    x = torch.rand(1, 3, 40, 40, generator=seeded()).expand(2, -1, -1, -1)
    mixed = parse_recipe("smooth(radius={1, 4}, threshold=1, strength=1)").apply(x.repeat(4, 1, 1, 1), seeded())
    spreads = {round(sample.std().item(), 4) for sample in mixed}
    alone = {
        round(parse_recipe(f"smooth(radius={r}, threshold=1, strength=1)").apply(x[:1], seeded()).std().item(), 4)
        for r in (1, 4)
    }
    assert spreads == alone


def test_sharpening_overshoots_by_its_amount() -> None:
    edge = (torch.arange(64) >= 32).float().mul(0.4).add(0.3).expand(1, 3, 64, 64)
    sharp = parse_recipe("sharpen(amount=1, radius=2)").apply(edge, seeded())
    # The last pixel before a step of height h lies h G(0.5 / radius) of the way up in the blurred image.
    expected = 0.4 * (1 - 0.5 * (1 + torch.erf(torch.tensor(0.5 / 2 / 2**0.5))).item())
    assert (sharp[..., 32] - 0.7).mean().item() == pytest.approx(expected, abs=0.01)
    assert (0.3 - sharp[..., 31]).mean().item() == pytest.approx(expected, abs=0.01)
    assert torch.allclose(sharp[..., :16], edge[..., :16], atol=1 / 255)


def test_webp_is_pillow_and_follows_its_quality() -> None:
    x = torch.rand(2, 3, 33, 47, generator=seeded())
    errors = [
        (parse_recipe(f"webp(quality={quality})").apply(x, seeded()) - x).square().mean().item()
        for quality in (5, 50, 95)
    ]
    assert errors[0] > errors[1] > errors[2] > 0
    gray = parse_recipe("webp(quality=60)").apply(x[:, :1], seeded())
    assert gray.shape == (2, 1, 33, 47)
