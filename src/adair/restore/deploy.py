"""How the network is run on images: its window, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from adair.backbones.registry import find_backbone

REACH = 2  # cells around each that channel attention looks at: a window of 160 pixels


def bytes_per_pixel(backbone: str, config: Mapping[str, Any], dtype: torch.dtype) -> float:
    """Memory that restoring takes for every pixel of a tile, from a backbone's name and its whole configuration."""
    entry = find_backbone(backbone)
    return float(entry.values_per_pixel(entry.config(**config)) * dtype.itemsize)
