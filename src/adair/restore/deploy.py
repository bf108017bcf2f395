"""How the network is run on images: the window of channel attention, and the memory needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adair.backbones.registry import find_backbone

REACH = 2  # cells on each side that channel attention covers: a window of 160 pixels
# Values per pixel of the image before and after the network (measured); at full resolution, those of features suffice.
IMAGE = 24


def bytes_per_pixel(backbone: str, config: Mapping[str, Any], dtype: torch.dtype, unshuffle: int = 1) -> float:
    """Return the memory for each pixel of a tile, from a backbone's name, its configuration, and its resolution."""
    entry = find_backbone(backbone)
    features = entry.values_per_pixel(entry.config(**config)) / unshuffle**2
    return float((features + (IMAGE if unshuffle > 1 else 0)) * dtype.itemsize)
