"""From a backbone's name and configuration, as files and command lines carry them, to a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from adair.backbones.nafnet import NAFNet
from adair.backbones.restormer import Restormer
from adair.errors import AdairError


@dataclasses.dataclass(frozen=True)
class NAFNetConfig:
    """Shape of a NAFNet; the defaults are those of the bundled foundation."""

    width: int = 32
    encoder: tuple[int, ...] = (1, 1, 2, 6)
    middle: int = 2
    decoder: tuple[int, ...] = (1, 1, 1, 1)

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


BACKBONES: dict[str, tuple[type[Any], Callable[..., nn.Module]]] = {
    "nafnet": (NAFNetConfig, NAFNet),
    "restormer": (RestormerConfig, Restormer),
}


def complete_config(name: str, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the whole configuration of backbone ``name``: the given values, checked, over the defaults.

    Raises:
        AdairError: for an unknown backbone, an unknown key, or a value of the wrong type or out of range.
    """
    if name not in BACKBONES:
        raise AdairError(f"unknown backbone '{name}'; known: {', '.join(BACKBONES)}")
    schema = BACKBONES[name][0]
    fields = {field.name: field for field in dataclasses.fields(schema)}
    values = {}
    for key, value in (config or {}).items():
        if key not in fields:
            raise AdairError(f"{name}: unknown setting '{key}'; known: {', '.join(fields)}")
        values[key] = _typed(name, key, value, fields[key].default)
    return dataclasses.asdict(schema(**values))


def build_backbone(name: str, config: Mapping[str, Any] | None = None) -> nn.Module:
    """Build backbone ``name`` ("nafnet" or "restormer") with fresh weights.

    Raises:
        AdairError: as `complete_config`.
    """
    checked = complete_config(name, config)
    return BACKBONES[name][1](**checked)


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
