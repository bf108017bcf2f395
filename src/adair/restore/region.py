"""Parts of a stored image as tensors, enlarged if super-resolution needs it.

An image is never enlarged as a whole: every part is enlarged from its own pixels and a few around it, which gives
exactly the pixels of the whole enlargement.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adair.degradations import resize
from adair.images import scratch
from adair.images.buffer import WHITE

SUPPORT = 4  # pixels around a part that its enlargement may depend on (bicubic reaches 2)
LINES = 256  # lines of alpha that are enlarged at a time


def region(source: npt.NDArray[Any], scale: int, box: tuple[int, int, int, int], device: torch.device) -> Tensor:
    """Return a part of ``source`` (H, W, C) as (1, C, h, w) in 0..1 on ``device``.

    Args:
        source: uint8, uint16 or float32 array.
        scale: factor to enlarge by (MATLAB-style bicubic, clamped).
        box: top, left, bottom, right in pixels of the enlarged image.
    """
    top, left, bottom, right = box
    rows, columns = _needed(top, bottom, scale, source.shape[0]), _needed(left, right, scale, source.shape[1])
    part = source[rows, columns]
    # A copy, because arrays of PIL images are read-only; int32, because torch supports uint16 only in part.
    x = torch.from_numpy(part.astype(np.int32 if part.dtype == np.uint16 else part.dtype)).to(device)
    x = x.permute(2, 0, 1)[None].float() / WHITE[source.dtype]
    if scale > 1:
        x = resize(x, (x.shape[2] * scale, x.shape[3] * scale), scale)
        top, bottom = top - rows.start * scale, bottom - rows.start * scale
        left, right = left - columns.start * scale, right - columns.start * scale
        return x[..., top:bottom, left:right].clamp(0, 1)  # bicubic overshoots at edges
    return x  # floats outside 0..1 (unclipped noise) are information for the network


def enlarge(plane: npt.NDArray[Any], scale: int, folder: Path | None = None) -> npt.NDArray[Any]:
    """Enlarge alpha (H, W) with bicubic interpolation, a few lines at a time; scale 1 returns it unchanged.

    A result too large for memory goes to ``folder`` (see `adair.images.scratch`).
    """
    if scale == 1:
        return plane
    height, width = plane.shape[0] * scale, plane.shape[1] * scale
    result = scratch.empty((height, width), plane.dtype, folder)
    white = WHITE[plane.dtype]
    for top in range(0, height, LINES):
        bottom = min(top + LINES, height)
        lines = region(plane[..., None], scale, (top, 0, bottom, width), torch.device("cpu"))[0, 0].numpy() * white
        result[top:bottom] = lines if white == 1.0 else np.rint(lines)
        scratch.release(result)
    return result


def _needed(start: int, stop: int, scale: int, length: int) -> slice:
    """Return the source pixels that pixels ``start`` to ``stop`` of the enlarged line depend on."""
    if scale == 1:
        return slice(start, stop)
    return slice(max(0, start // scale - SUPPORT), min(length, -(-stop // scale) + SUPPORT))
