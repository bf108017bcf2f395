"""How the network is run on images: its window, and the memory that it takes."""

from __future__ import annotations

import torch

REACH = 2  # cells around each that channel attention looks at: a window of 160 pixels

# Values that the network holds at its peak for every pixel, per channel of its width (measured, rounded up).
VALUES_PER_PIXEL = {"nafnet": 14, "restormer": 64}


def bytes_per_pixel(backbone: str, width: int, dtype: torch.dtype) -> float:
    """Memory that restoring takes for every pixel of a tile."""
    return float(VALUES_PER_PIXEL[backbone] * width * dtype.itemsize)
