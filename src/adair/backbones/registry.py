"""The registry of backbones: from a name and a configuration, in a file or on a command line, to a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from adair.backbones import fusing
from adair.backbones.grow import grow
from adair.backbones.nafnet import NAFNet
from adair.backbones.pooling import CELL
from adair.backbones.restormer import Restormer
from adair.backbones.sites import named_sites
from adair.backbones.unshuffle import unshuffle
from adair.errors import AdairError, InputError


@dataclasses.dataclass(frozen=True)
class NAFNetConfig:
    """Shape of a NAFNet; the defaults are those of the bundled foundation."""

    width: int = 32
    encoder: tuple[int, ...] = (1, 2, 2, 6)
    middle: int = 2
    decoder: tuple[int, ...] = (1, 1, 2, 2)

    def __post_init__(self) -> None:
        if len(self.encoder) != len(self.decoder) or not 1 <= len(self.encoder) <= 5:
            raise AdairError(
                f"nafnet: encoder has {len(self.encoder)} levels and decoder {len(self.decoder)}; "
                "give both the same number, 1 to 5"
            )
        _in_range("nafnet", "width", self.width, 1, 512)
        for blocks in (*self.encoder, self.middle, *self.decoder):
            _in_range("nafnet", "blocks", blocks, 0, 64)


@dataclasses.dataclass(frozen=True)
class RestormerConfig:
    """Shape of a Restormer; the defaults are the published ones (26,126,644 parameters)."""

    width: int = 48
    blocks: tuple[int, ...] = (4, 6, 6, 8)
    refinement: int = 4
    heads: tuple[int, ...] = (1, 2, 4, 8)
    expansion: float = 2.66
    norm_bias: bool = True

    def __post_init__(self) -> None:
        _in_range("restormer", "width", self.width, 1, 512)
        if len(self.blocks) != 4 or len(self.heads) != 4:
            raise AdairError("restormer: blocks and heads need 4 numbers each, one for a level")
        for blocks in (*self.blocks, self.refinement):
            _in_range("restormer", "blocks", blocks, 0, 64)
        for level, heads in enumerate(self.heads):
            if heads < 1 or (self.width * 2**level) % heads:
                raise AdairError(
                    f"restormer: {heads} heads do not divide the {self.width * 2**level} channels of a level"
                )
        if not 0 < self.expansion <= 8:
            raise AdairError(f"restormer: expansion {self.expansion} is outside 0..8")


def _in_range(backbone: str, name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise AdairError(f"{backbone}: {name} {value} is outside {low}..{high}")


def _nafnet_shape(width: int | None, blocks: str | None) -> dict[str, Any]:
    shape: dict[str, Any] = {} if width is None else {"width": width}
    if blocks is not None:
        groups = _groups(blocks)
        if len(groups) != 3 or len(groups[1]) != 1:
            raise InputError(f"--blocks {blocks}: nafnet needs encoder/middle/decoder, such as 1,1,2,6/2/1,1,1,1")
        shape |= {"encoder": groups[0], "middle": groups[1][0], "decoder": groups[2]}
    return shape


def _restormer_shape(width: int | None, blocks: str | None) -> dict[str, Any]:
    shape: dict[str, Any] = {} if width is None else {"width": width}
    if blocks is not None:
        groups = _groups(blocks)
        if len(groups) != 1:
            raise InputError(f"--blocks {blocks}: restormer needs one number for each level, such as 4,6,6,8")
        shape["blocks"] = groups[0]
    return shape


def _groups(blocks: str) -> list[list[int]]:
    try:
        return [[int(number) for number in group.split(",")] for group in blocks.split("/")]
    except ValueError:
        raise InputError(f"--blocks {blocks}: use integers, such as 1,1,2,6/2/1,1,1,1") from None


@dataclasses.dataclass(frozen=True)
class Backbone:
    """Everything that the rest of the program needs to know about a backbone.

    Attributes:
        config: frozen dataclass of its settings, every one with a default; it raises `AdairError` for bad values.
        network: class of the network, called with the settings as keyword arguments. Maps (N, 3, H, W) in 0..1 to the
            same shape.
        values_per_pixel: from a ``config`` to the number of values that the network holds at its peak for every pixel
            of the image (measured, rounded up).
        parse_shape: from a width and the text of ``--blocks`` (either may be None: the default) to settings.
        fuse: makes a network faster for inference, in place, with the same output; None: nothing to gain.
        grow: from the weights of a smaller network, a larger network and a generator (on the CPU) to weights with
            which the larger one computes the same; None: not possible.
        unshuffle: from weights and a factor to weights for the same network at 1/factor of the resolution, which
            ``network`` makes of the keyword argument ``unshuffle``; None: it works at full resolution only.
    """

    config: type[Any]
    network: type[nn.Module]
    values_per_pixel: Callable[[Any], float]
    parse_shape: Callable[[int | None, str | None], dict[str, Any]]
    fuse: Callable[[Any], None] | None = None
    grow: Callable[[Mapping[str, Tensor], Any, torch.Generator], dict[str, Tensor]] | None = None
    unshuffle: Callable[[Mapping[str, Tensor], int], dict[str, Tensor]] | None = None


BACKBONES: dict[str, Backbone] = {
    "nafnet": Backbone(
        NAFNetConfig,
        NAFNet,
        lambda config: 14 * config.width,
        _nafnet_shape,
        fuse=fusing.fuse,
        grow=grow,
        unshuffle=unshuffle,
    ),
    "restormer": Backbone(RestormerConfig, Restormer, lambda config: 64 * config.width, _restormer_shape),
}


def find_backbone(name: str) -> Backbone:
    """Return the entry of a name.

    Raises:
        AdairError: an unknown backbone.
    """
    if name not in BACKBONES:
        raise AdairError(f"unknown backbone '{name}'; known: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def parse_shape(name: str, width: int | None, blocks: str | None) -> dict[str, Any]:
    """Read settings of backbone ``name`` from command-line options; what is None stays at its default.

    Raises:
        AdairError: an unknown backbone, or blocks that it does not understand.
    """
    return find_backbone(name).parse_shape(width, blocks)


def fuse(network: nn.Module) -> None:
    """Make a network faster for inference, in place, with the same output; one with adapters at its sites stays."""
    if any(site.adapter is not None for _, site in named_sites(network)):
        return
    for entry in BACKBONES.values():
        if isinstance(network, entry.network) and entry.fuse is not None:
            entry.fuse(network)
            return


def complete_config(name: str, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the whole configuration of backbone ``name``: the given values, checked, over the defaults.

    Raises:
        AdairError: for an unknown backbone, an unknown key, or a value of the wrong type or out of range.
    """
    schema = find_backbone(name).config
    fields = {field.name: field for field in dataclasses.fields(schema)}
    values = {}
    for key, value in (config or {}).items():
        if key not in fields:
            raise AdairError(f"{name}: unknown setting '{key}'; known: {', '.join(fields)}")
        values[key] = _typed(name, key, value, fields[key].default)
    return dataclasses.asdict(schema(**values))


def build_backbone(name: str, config: Mapping[str, Any] | None = None, unshuffle: int = 1) -> nn.Module:
    """Build backbone ``name``, one of `BACKBONES`, with fresh weights.

    Args:
        name: the name.
        config: its settings; missing ones get their defaults.
        unshuffle: 1, 2 or 4; the blocks work at 1/unshuffle of the image's resolution. The deepest stride has to
            divide `CELL`: with 2 a NAFNet has at most four levels, with 4 three.

    Raises:
        AdairError: as `complete_config`; an ``unshuffle`` out of range, or one that the backbone cannot have.
    """
    checked = complete_config(name, config)
    entry = BACKBONES[name]
    if unshuffle == 1:
        return entry.network(**checked)
    _in_range(name, "unshuffle", unshuffle, 1, 4)
    if entry.unshuffle is None:
        raise AdairError(f"{name}: works at full resolution only, not with unshuffle {unshuffle}")
    network = entry.network(**checked, unshuffle=unshuffle)
    border: Any = network.border
    multiple: int = border.multiple
    if CELL % multiple:  # tiles would start within a pixel of the deepest level
        fitting = [str(factor) for factor in (1, 2, 4) if CELL % (multiple // unshuffle * factor) == 0]
        raise AdairError(
            f"{name}: unshuffle {unshuffle} makes the deepest level work on squares of {multiple} pixels, which do not "
            f"divide the {CELL} of the grid of tiles; use unshuffle {' or '.join(fitting)}"
        )
    return network


def _typed(backbone: str, key: str, value: Any, default: Any) -> Any:
    """Check a value that came from a file or a command line against the type of the default."""
    if isinstance(default, tuple):
        if isinstance(value, (list, tuple)) and all(type(item) is int for item in value):
            return tuple(value)
        raise AdairError(f"{backbone}: {key} must be a list of whole numbers, not {value!r}")
    wanted = (int, float) if isinstance(default, float) else (type(default),)
    if type(value) not in wanted:
        raise AdairError(f"{backbone}: {key} must be {wanted[-1].__name__}, not {value!r}")
    return value
