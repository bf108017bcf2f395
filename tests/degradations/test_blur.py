"""Blur against kernels computed directly, and against the protocol's published figures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from adair.degradations import parse_recipe
from adair.metrics import psnr, quantise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def impulse(side: int = 63) -> torch.Tensor:
    x = torch.zeros(1, 1, side, side)
    x[..., side // 2, side // 2] = 1
    return x


def reference(x: torch.Tensor, sigma: float, size: int = 25) -> torch.Tensor:
    """The protocol word for word: one size x size kernel, reflect padding, float64, rounded."""
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    kernel = torch.exp(-(offset.square() + offset.square().view(-1, 1)) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, -1, -1)
    padded = F.pad(x.double(), (size // 2,) * 4, mode="reflect")
    return quantise(F.conv2d(padded, kernel, groups=x.shape[1]))


@pytest.mark.parametrize("sigma", [0.4, 1.2, 3.0, 5.0])
@pytest.mark.parametrize("size", [(40, 30), (40, 200)])
def test_blur_is_the_protocols_to_its_rounding(sigma: float, size: tuple[int, int]) -> None:
    x = quantise(torch.rand(2, 3, *size, generator=seeded()))
    ours = parse_recipe(f"blur(sigma={sigma})").apply(x, seeded())
    error = (ours - reference(x, sigma)).abs() * 255
    assert error.max() < 1.01
    assert (error > 0.5).float().mean() < 0.02


def test_elongated_blur_with_ratio_near_one_is_the_round_one() -> None:
    x = quantise(torch.rand(2, 3, 40, 50, generator=seeded()))
    round_one, nearly = (parse_recipe(f"blur(sigma=2, ratio={r})").apply(x, seeded()) for r in (1, 0.99999))
    assert (round_one - nearly).abs().max() * 255 < 1.01


def test_blur_inputs_on_kodak_have_the_protocols_psnr(shared: Path) -> None:
    recipe, figures = parse_recipe("blur(sigma=2)"), []
    for path in sorted((shared / "data/test/Kodak24").iterdir()):
        x = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        figures.append(psnr(recipe.apply(x, seeded()), x).item())
    assert len(figures) == 24
    assert sum(figures) / 24 == pytest.approx(25.40, abs=0.005)


def direction(kernel: torch.Tensor) -> float:
    """Angle of the longer axis, in degrees from horizontal, counter-clockwise, 0..180."""
    side = torch.arange(kernel.shape[-1], dtype=torch.float64) - kernel.shape[-1] // 2
    weight = kernel[0, 0].double()
    xx, yy = (weight * side.square()).sum(), (weight * side.square().view(-1, 1)).sum()
    xy = -(weight * side * side.view(-1, 1)).sum()
    return math.degrees(0.5 * math.atan2(2 * xy, xx - yy)) % 180


@pytest.mark.parametrize("angle", [20, 90, 150])
@pytest.mark.parametrize("text", ["blur(sigma=5, ratio=0.3, angle={})", "motion(length=20, bend=0, angle={})"])
def test_angles_are_counter_clockwise_from_horizontal(text: str, angle: int) -> None:
    kernel = parse_recipe(text.format(angle)).apply(impulse(), seeded())
    assert direction(kernel) == pytest.approx(angle, abs=2)


def test_motion_is_as_long_as_it_says_and_keeps_the_light() -> None:
    kernel = parse_recipe("motion(length=20, angle=0, bend=0)").apply(impulse(), seeded())
    line = kernel[0, 0, 31]
    assert torch.equal(kernel.sum(), line.sum())
    assert int((line > 0).sum()) == 21
    assert kernel.sum().item() == pytest.approx(1, abs=0.06)  # 21 values, each rounded to 8 bits


def test_a_bent_path_leaves_the_straight_line() -> None:
    kernel = parse_recipe("motion(length=30, angle=0, bend=0.8)").apply(impulse(), seeded())
    assert int((kernel[0, 0] > 0).any(dim=1).sum()) > 8


def test_defocus_is_a_disc() -> None:
    x = impulse() * 1.0
    kernel = parse_recipe("defocus(radius=5)").apply(x, seeded())[0, 0]
    side = torch.arange(63) - 31
    distance = (side.square() + side.square().view(-1, 1)).sqrt()
    inside = kernel[distance < 4.4]
    assert (kernel[distance > 5.6] == 0).all()
    assert inside.min() == inside.max() > 0


def test_a_flat_image_stays_flat_up_to_its_border() -> None:
    x = torch.full((3, 3, 20, 33), 200 / 255)
    for text in ("blur(sigma=3)", "blur(sigma=4, ratio=0.3)", "motion(length=30)", "defocus(radius=9)"):
        assert torch.equal(parse_recipe(text).apply(x, seeded()), x)
