"""Resizing against MATLAB's own files, and down-and-up against shrinking and enlarging one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from adair.degradations import parse_recipe, resize, shrink
from adair.metrics import quantise


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("suite", ["Set5", "Set14"])
def test_shrinking_gives_matlabs_pixels(shared: Path, suite: str) -> None:
    data = shared / "data/test"
    large = {path.stem: path for path in (data / suite).iterdir()}
    pixels = equal = worst = 0
    for path in sorted((data / f"{suite}_matlab_bicubic").glob("x*/*.png")):
        scale = int(path.parent.name[1:])
        file = Image.open(path)
        expected = torch.from_numpy(np.atleast_3d(np.array(file)))
        x = torch.from_numpy(np.atleast_3d(np.array(Image.open(large[path.stem]).convert(file.mode))))
        x = x[: expected.shape[0] * scale, : expected.shape[1] * scale].permute(2, 0, 1)[None].float() / 255
        ours = shrink(x, scale).mul(255).round()[0].permute(1, 2, 0)
        error = (ours - expected).abs()
        pixels, equal, worst = pixels + error.numel(), equal + int((error == 0).sum()), max(worst, int(error.max()))
    assert worst <= 1
    assert equal >= 0.9999 * pixels


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    scale=st.sampled_from([1, 2, 3, 4, 7]) | st.floats(1, 5, width=32),
)
@settings(deadline=None, max_examples=60)
def test_down_and_up_is_what_super_resolution_starts_from(height: int, width: int, scale: float) -> None:
    x = quantise(torch.rand(1, 3, height, width, generator=seeded()))
    small = shrink(x, scale)
    large = resize(small, (height, width), scale).clamp(0, 1)
    ours = parse_recipe(f"resize(scale={scale!r})").apply(x, seeded())
    # float32 against float64: a level that lies on a half may round the other way in the small image.
    assert (ours - large).abs().max() * 255 < 1.2
    assert (ours - large).abs().mean() * 255 < 0.05 + 0.5 / (small.shape[-2] * small.shape[-1])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_samples_of_one_batch_do_not_touch_each_other(scale: int) -> None:
    x = quantise(torch.rand(6, 3, 50, 34, generator=seeded()))
    mixed = parse_recipe("resize(scale={2, 3, 4})").apply(x, seeded(1))
    alone = parse_recipe(f"resize(scale={scale})").apply(x, seeded())
    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(mixed, alone, strict=True)]
    assert any(same) and not all(same)


def test_large_and_small_sides_take_different_ways_to_the_same_pixels() -> None:
    x = quantise(torch.rand(1, 1, 16, 600, generator=seeded()))
    long = parse_recipe("resize(scale=3)").apply(x, seeded())
    short = parse_recipe("resize(scale=3)").apply(x[..., :300], seeded())
    assert (long[..., :280] - short[..., :280]).abs().max() * 255 < 0.01


@pytest.mark.parametrize(("side", "scale", "small"), [(64, 3, 22), (10, 2.5, 4), (1, 4, 1), (9, 3, 3), (7, 1, 7)])
def test_small_sides_round_up(side: int, scale: float, small: int) -> None:
    assert shrink(torch.rand(1, 1, side, side), scale).shape == (1, 1, small, small)


def test_a_flat_image_keeps_its_value() -> None:
    x = torch.full((2, 3, 37, 41), 0.6)
    for size in ((13, 90), (1, 1), (37, 41), (700, 3)):
        assert torch.allclose(resize(x, size), torch.tensor(0.6), atol=1e-6)


def test_enlarging_does_not_shift() -> None:
    ramp = torch.arange(40, dtype=torch.float64).view(1, 1, 1, -1).expand(1, 1, 8, -1)
    large = resize(ramp, (16, 120))
    place = (torch.arange(120, dtype=torch.float64) + 0.5) / 3 - 0.5
    assert torch.allclose(large[0, 0, 5, 9:-9], place[9:-9], atol=1e-9)


def test_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="0x5"):
        resize(torch.rand(1, 1, 4, 4), (0, 5))
