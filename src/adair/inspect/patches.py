"""Choosing the patches of an image that the estimator sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

MOST = 24  # patches per image; more do not change the result
CANDIDATES = 400  # places that are examined before choosing
_GRID = 8  # places are multiples of it, so that JPEG's blocks start at a patch's corner


def choose_patches(pixels: npt.NDArray[Any], size: int, most: int = MOST) -> Tensor:
    """Cut patches from all over an image, from the flattest to the most textured.

    Noise shows in flat parts and blur in textured ones. So the places of a grid are sorted by texture, and chosen at
    even distances in this order. An image smaller than a patch is reflected at its borders.

    Args:
        pixels: (H, W, 1 or 3), uint8, uint16 or float (0..1).
        size: side of a patch, a multiple of 8.
        most: number of patches at most.

    Returns:
        (N, 3, size, size), float; gray as three equal channels.
    """
    low = [max(0, size - side) for side in pixels.shape[:2]]
    if any(low):
        pixels = np.pad(pixels, ((0, low[0]), (0, low[1]), (0, 0)), mode="symmetric")
    places = _places(pixels.shape[0], pixels.shape[1], size)
    if len(places) > most:
        texture = [_texture(pixels[top : top + size, left : left + size]) for top, left in places]
        order = np.argsort(texture, kind="stable")
        places = [places[order[(2 * i + 1) * len(order) // (2 * most)]] for i in range(most)]
    cut = np.stack([pixels[top : top + size, left : left + size] for top, left in places])
    white = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(pixels.dtype, 1.0)
    patches = torch.from_numpy(cut.astype(np.float32) / np.float32(white)).permute(0, 3, 1, 2)
    return patches.expand(-1, 3, -1, -1).contiguous()


def _places(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Corners of patches side by side, thinned out evenly where there are many."""
    counts = [max(1, side // size) for side in (height, width)]
    while counts[0] * counts[1] > CANDIDATES:
        counts = [max(1, count * 9 // 10) for count in counts]
    rows, columns = (
        [int(at) // _GRID * _GRID for at in np.linspace(0, side - size, count)]
        for side, count in zip((height, width), counts, strict=True)
    )
    return [(top, left) for top in rows for left in columns]


def _texture(patch: npt.NDArray[Any]) -> float:
    """Mean difference of neighbours."""
    gray = patch[::2, ::2].mean(2)
    return float(np.abs(np.diff(gray, axis=0)).mean() + np.abs(np.diff(gray, axis=1)).mean())
