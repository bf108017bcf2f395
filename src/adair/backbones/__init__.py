"""The restoration networks. A backbone maps an RGB tensor (N, 3, H, W) in 0..1 to a restored one of the same shape."""

from adair.backbones.pooling import CELL, set_local_statistics
from adair.backbones.registry import (
    BACKBONES,
    Backbone,
    build_backbone,
    complete_config,
    find_backbone,
    fuse,
    parse_shape,
)
from adair.backbones.sites import Site, named_sites

__all__ = [
    "BACKBONES",
    "CELL",
    "Backbone",
    "Site",
    "build_backbone",
    "complete_config",
    "find_backbone",
    "fuse",
    "named_sites",
    "parse_shape",
    "set_local_statistics",
]
