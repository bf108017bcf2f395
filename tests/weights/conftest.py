"""A tiny foundation file, and safetensors files made byte by byte."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adair.backbones import build_backbone
from adair.weights import save_foundation

CONFIG = {"width": 4, "encoder": [1], "middle": 1, "decoder": [1]}


@pytest.fixture
def tiny_weights() -> dict[str, torch.Tensor]:
    """Random weights of a NAFNet of width 4, with values that float16 rounds."""
    generator = torch.Generator().manual_seed(0)
    shapes = build_backbone("nafnet", CONFIG).state_dict()
    return {name: torch.randn(tensor.shape, generator=generator) for name, tensor in shapes.items()}


@pytest.fixture
def foundation_file(tmp_path: Path, tiny_weights: dict[str, torch.Tensor]) -> Path:
    """A sound foundation file."""
    path = tmp_path / "foundation.safetensors"
    save_foundation(path, "nafnet", CONFIG, tiny_weights, {"licence": "CC0-1.0"})
    return path


@pytest.fixture
def raw_file(tmp_path: Path) -> Callable[..., Path]:
    """``raw_file(header, data)``: a file with that header (JSON text, or a value to dump) and those bytes of data."""

    def write(header: Any, data: bytes = b"", length: int | None = None) -> Path:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = tmp_path / "raw.safetensors"
        path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
        return path

    return write
