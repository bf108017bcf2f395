"""Where the estimator looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.inspect.patches import choose_patches


@given(height=st.integers(1, 90), width=st.integers(1, 90), bands=st.sampled_from([1, 3]))
@settings(deadline=None, max_examples=40)
def test_any_image_gives_patches_of_its_own_pixels(height: int, width: int, bands: int) -> None:
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, bands), dtype=np.uint8)
    patches = choose_patches(pixels, 16, most=6)
    assert patches.shape[1:] == (3, 16, 16) and 1 <= len(patches) <= 6
    seen = {tuple(pixel) for pixel in np.rint(patches.permute(0, 2, 3, 1).reshape(-1, 3).numpy() * 255).astype(int)}
    assert seen <= {tuple(map(int, np.broadcast_to(pixel, 3))) for pixel in pixels.reshape(-1, bands)}


def test_patches_lie_on_the_grid_of_jpeg() -> None:
    rows, columns = np.mgrid[0:100, 0:130]
    pixels = np.stack([rows, columns, rows], -1).astype(np.uint8)
    corners = (choose_patches(pixels, 32, most=100)[:, :2, 0, 0] * 255).round().int()
    assert len(corners) == 12 and (corners % 8 == 0).all()
    assert len(set(map(tuple, corners.tolist()))) == 12


def test_flat_and_textured_parts_are_both_seen() -> None:
    pixels = np.full((128, 512, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    for column in range(8, 32):  # texture grows to the right; a quarter of the image is flat
        part = pixels[:, column * 16 : column * 16 + 16]
        part += rng.integers(0, 2 * column, part.shape, dtype=np.uint8)
    spread = choose_patches(pixels, 16, most=8).flatten(1).std(1)
    assert (spread < 1e-6).sum() == 2 and spread.max() > 0.05
    assert (spread.diff() >= -0.01).all()  # in the order of their texture


@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.float64])
def test_depths_agree(kind: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    same = pixels.astype(kind) * (257 if kind is np.uint16 else 1 / 255)
    torch.testing.assert_close(choose_patches(same.astype(kind), 16), choose_patches(pixels, 16))


def test_a_huge_image_is_looked_at_in_few_places() -> None:
    pixels = np.broadcast_to(np.zeros(3, np.uint8), (20000, 30000, 3))  # 1.8 GB, were it real
    assert choose_patches(pixels, 96).shape == (24, 3, 96, 96)
