"""The mask of the parts that a visitor painted over to protect them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adair.restore.mask import Mask


def painted_mask(editor: Mapping[str, Any] | None, size: tuple[int, int]) -> Mask | None:
    """Return the mask of a photo; None where nothing is painted.

    Args:
        editor: the value of Gradio's editor; its ``layers`` are (h, w, 4) uint8, drawn on a small version of the photo.
        size: width and height of the photo.
    """
    opaque = [np.asarray(layer)[..., 3] for layer in (editor or {}).get("layers") or ()]
    covered = [layer for layer in opaque if layer.any()]
    if not covered:
        return None
    width, height = size
    weights = np.full((height, width), 255, np.uint8)
    for layer in covered:
        rows = np.arange(height) * layer.shape[0] // height
        columns = np.arange(width) * layer.shape[1] // width
        np.minimum(weights, 255 - layer[rows[:, None], columns], out=weights)
    return Mask(weights, "the painted mask")
