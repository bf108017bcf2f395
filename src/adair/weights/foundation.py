"""The foundation: a frozen backbone with the weights that all adapters build on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adair.backbones import build_backbone, complete_config, find_backbone
from adair.errors import AdairError, FileFormatError
from adair.weights.files import Header, check_tensors, fingerprint, read_header, read_tensors, write_safetensors
from adair.weights.header import read_unshuffle, short, unshuffle_facts

BUNDLED = Path(__file__).parent / "bundled"


@dataclasses.dataclass(frozen=True)
class Foundation:
    """A loaded foundation.

    Attributes:
        backbone: name of the network, "nafnet" or "restormer".
        config: its complete configuration.
        model: the network in float32, in evaluation mode; no parameter asks for a gradient.
        fingerprint: hash of the weights; adapters name it.
        card: recipe, training facts, measured figures, licence: whatever its author recorded.
        unshuffle: the network works at 1/unshuffle of the image's resolution.
    """

    backbone: str
    config: dict[str, Any]
    model: nn.Module
    fingerprint: str
    card: dict[str, Any]
    unshuffle: int = 1

    def unshuffled(self, factor: int | None) -> Foundation:
        """Return the network for 1/factor of the resolution: the same blocks, first and last layer made for it.

        None: as it is.

        Raises:
            AdairError: the backbone cannot work at another resolution, or this one works at a lower one already.
        """
        if factor is None or factor == self.unshuffle:
            return self
        if self.unshuffle != 1:
            raise AdairError(f"a foundation with unshuffle {self.unshuffle} cannot be one with unshuffle {factor}")
        model = _on_meta(self.backbone, self.config, factor)
        derive = find_backbone(self.backbone).unshuffle
        assert derive is not None
        model.load_state_dict(derive(self.model.state_dict(), factor), assign=True)
        return dataclasses.replace(self, unshuffle=factor, model=model.eval().requires_grad_(False))


def save_foundation(
    path: str | os.PathLike[str],
    backbone: str,
    config: Mapping[str, Any] | None,
    state_dict: Mapping[str, Tensor],
    card: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
    unshuffle: int = 1,
) -> str:
    """Write a foundation file and return its fingerprint.

    The tensors of a published checkpoint can be given as they are. The file's metadata: format, kind "foundation",
    backbone, config, unshuffle if not 1, fingerprint, card.

    Args:
        path: the file, which is written atomically.
        backbone: "nafnet" or "restormer".
        config: its configuration; missing values get their defaults.
        state_dict: name to tensor, names as published.
        card: recipe, training facts, measured figures, licence; anything that JSON can hold.
        dtype: how values are stored: torch.float16, bfloat16 or float32.
        unshuffle: see `Foundation`.

    Raises:
        AdairError: tensors that do not fit the backbone, values that ``dtype`` cannot hold, an unwritable folder.
    """
    config = complete_config(backbone, config)
    expected = _shapes(_on_meta(backbone, config, unshuffle))
    for name in sorted(state_dict.keys() ^ expected.keys()):
        fault = "the weights lack" if name in expected else f"{backbone} does not have"
        raise AdairError(f"{path}: tensor {short(name)} is one that {fault}; check the configuration")
    for name, shape in expected.items():
        if tuple(state_dict[name].shape) != shape:
            found = list(state_dict[name].shape)
            raise AdairError(f"{path}: tensor {short(name)} has shape {found}, {backbone} needs {list(shape)}")
    stored = {name: tensor.detach().to(dtype) for name, tensor in state_dict.items()}
    mark = fingerprint(stored)
    metadata = {"kind": "foundation", "backbone": backbone, "config": config, "fingerprint": mark}
    write_safetensors(path, stored, {**metadata, **unshuffle_facts(unshuffle), "card": dict(card or {})})
    return mark


def load_foundation(path: str | os.PathLike[str] | None = None) -> Foundation:
    """Load a foundation file; None loads the bundled one.

    Raises:
        AdairError: a file that cannot be read, is not a foundation, or does not contain what it claims.
    """
    header = read_header(bundled_foundation() if path is None else path)
    if header.kind != "foundation":
        what = "an adapter; open it with the foundation that it names" if header.kind else "not an AdaIR file"
        raise FileFormatError(f"{header.path}: is {what}; expected a foundation")
    backbone, config, unshuffle, model = _network_of(header)
    check_tensors(header, _shapes(model))
    weights = read_tensors(header)
    mark = fingerprint(weights)
    if mark != header.metadata.get("fingerprint"):
        raise AdairError(
            f"{header.path}: its weights do not match its fingerprint; the file is damaged, download it again"
        )
    model.load_state_dict(weights, assign=True)
    card = header.metadata.get("card")
    model.eval().requires_grad_(False)
    return Foundation(backbone, config, model, mark, card if isinstance(card, dict) else {}, unshuffle)


def bundled_foundation() -> Path:
    """Return the path of the bundled foundation; raise `AdairError` if it is missing."""
    path = BUNDLED / "foundation.safetensors"
    if not path.is_file():
        raise AdairError(f"{path}: the bundled foundation is missing; reinstall AdaIR, or give a foundation file")
    return path


def bundled_estimator() -> Path:
    """Return the path of the bundled estimator of damage; raise `AdairError` if it is missing."""
    path = BUNDLED / "estimator.safetensors"
    if not path.is_file():
        raise AdairError(f"{path}: the bundled estimator is missing; reinstall AdaIR")
    return path


def bundled_adapters() -> dict[str, Path]:
    """Return the files of the bundled adapters by task, sorted by name."""
    others = {"foundation", "estimator"}
    return {path.stem: path for path in sorted(BUNDLED.glob("*.safetensors")) if path.stem not in others}


def _network_of(header: Header) -> tuple[str, dict[str, Any], int, nn.Module]:
    """Return the backbone's name, its whole configuration, its ``unshuffle``, and the network without weights."""
    name, config = header.metadata.get("backbone"), header.metadata.get("config")
    if not isinstance(name, str) or not isinstance(config, dict):
        raise FileFormatError(f"{header.path}: does not say which backbone it is for; the file is damaged")
    try:
        config, unshuffle = complete_config(name, config), read_unshuffle(header.metadata)
        return name, config, unshuffle, _on_meta(name, config, unshuffle)
    except AdairError as error:
        raise AdairError(f"{header.path}: {error}") from error


def _on_meta(backbone: str, config: Mapping[str, Any], unshuffle: int = 1) -> nn.Module:
    """Build a network without memory for its weights, to get the shapes or to load weights into it."""
    with torch.device("meta"):
        return build_backbone(backbone, config, unshuffle)


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
