"""How the network is run on images: the window of channel attention, and the memory needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adair.backbones.registry import find_backbone

REACH = 2  # cells on each side that channel attention covers: a window of 160 pixels


def bytes_per_pixel(backbone: str, config: Mapping[str, Any], dtype: torch.dtype) -> float:
    """Return the memory for each pixel of a tile, from a backbone's name and its configuration."""
    entry = find_backbone(backbone)
    return float(entry.values_per_pixel(entry.config(**config)) * dtype.itemsize)
