"""A before/after image of a photo."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adair.images import convert_depth

SIDE = 800  # pixels of a half, at most
GAP = 8


def before_after(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> bytes:
    """Return two images side by side as WebP.

    Args:
        before, after: (H, W, 1 or 3) of uint8, uint16 or float32 in 0..1. The first is enlarged to the size of the
            second without smoothing, and only the centres are shown where both are large.
    """
    halves = [_picture(image) for image in (before, after)]
    size = halves[1].size
    left, top = (max(0, (side - SIDE) // 2) for side in size)
    box = (left, top, min(size[0], left + SIDE), min(size[1], top + SIDE))
    halves = [half.resize(size, Image.Resampling.NEAREST).crop(box) for half in halves]
    sheet = Image.new("RGB", (2 * halves[0].width + GAP, halves[0].height), "white")
    for number, half in enumerate(halves):
        sheet.paste(half, (number * (half.width + GAP), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()


def _picture(image: npt.NDArray[Any]) -> Image.Image:
    pixels = convert_depth(image, np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
