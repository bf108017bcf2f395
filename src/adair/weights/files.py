"""AdaIR's safetensors files: written atomically, and read only after their header has been checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from adair.errors import AdairError, FileFormatError
from adair.images.files import open_regular, write_whole
from adair.weights.header import FORMAT, METADATA_KEY, Header, TensorInfo, read_header, short

__all__ = [
    "Header",
    "TensorInfo",
    "check_tensors",
    "fingerprint",
    "read_header",
    "read_stored",
    "read_tensors",
    "update_card",
    "write_safetensors",
]

DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Hash weights: SHA-256 over names (sorted), shapes and float32 values (little-endian), as hexadecimal digits.

    The values are those that a user gets on loading, so storing the same weights as float16 or as their float32
    expansion makes no difference.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{list(tensor.shape)}".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).data)
    return digest.hexdigest()


def write_safetensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write tensors (as they are: type and values) with our metadata; a partial file is never visible.

    Args:
        path: the file; an existing one is replaced.
        tensors: name to tensor, on any device.
        metadata: values for `json`; the format version is added.

    Raises:
        AdairError: a value that is NaN or infinite, metadata that JSON cannot express, or an unwritable folder.
    """
    path = Path(path)
    for name, tensor in tensors.items():
        _check_finite(path, name, tensor)
    try:
        text = json.dumps({"format": FORMAT, **metadata}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AdairError(f"{path}: its metadata cannot be written as JSON: {error}") from error
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    if not path.parent.is_dir():
        raise AdairError(f"{path}: cannot be written: No such file or directory; create the folder first")
    write_whole(path, safetensors.torch.save(plain, {METADATA_KEY: text, "format": "pt"}))


def update_card(path: str | os.PathLike[str], **facts: Any) -> None:
    """Add ``facts`` to the card of a weight file, or replace them; its tensors stay bit-identical.

    Raises:
        AdairError: a file that cannot be read or written, or facts that JSON cannot express.
    """
    header = read_header(path)
    card = {**header.metadata.get("card", {}), **facts}
    write_safetensors(path, read_stored(header), {**header.metadata, "card": card})


def check_tensors(header: Header, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `AdairError` unless the file has exactly the ``expected`` tensors (name to shape)."""
    missing, extra = sorted(expected.keys() - header.tensors), sorted(header.tensors.keys() - expected)
    if missing:
        raise FileFormatError(f"{header.path}: lacks tensor {_listing(missing)}; damaged, or made for another network")
    if extra:
        raise FileFormatError(f"{header.path}: has the unknown tensor {_listing(extra)}; made for another network")
    for name, shape in expected.items():
        found = header.tensors[name].shape
        if found != tuple(shape):
            raise AdairError(
                f"{header.path}: tensor {short(name)} has shape {list(found)}, expected {list(shape)}; "
                "it was made for another network"
            )


def read_tensors(header: Header) -> dict[str, Tensor]:
    """Read all tensors of a checked file as float32, each with memory of its own.

    Raises:
        AdairError: a value is NaN or infinite, the values do not match the checksum in the metadata (files from before
            there was one lack it), or the file changed since its header was read.
    """
    tensors = {}
    for name, stored in read_stored(header).items():
        _check_finite(header.path, name, stored)
        tensors[name] = stored.to(torch.float32)
    if "checksum" in header.metadata and header.metadata["checksum"] != fingerprint(tensors):
        raise FileFormatError(
            f"{header.path}: its weights do not match its checksum; the file is damaged, download it again"
        )
    return tensors


def read_stored(header: Header) -> dict[str, Tensor]:
    """Read all tensors of a checked file in the types in which they are stored, each with memory of its own.

    A file that was put in the place of the checked one is read no further than the header says, and never waited for.

    Raises:
        AdairError: the file cannot be read, is not a regular file, or is shorter than when its header was read.
    """
    tensors = {}
    start = header.file_bytes - sum(info.bytes for info in header.tensors.values())
    try:
        with open_regular(header.path) as file:
            for name, info in header.tensors.items():
                file.seek(start + info.start)
                if len(data := bytearray(file.read(info.bytes))) != info.bytes:
                    raise AdairError(f"{header.path}: changed while it was read; try again")
                flat = torch.frombuffer(data, dtype=DTYPES[info.dtype]) if data else torch.empty(0)
                tensors[name] = flat.to(DTYPES[info.dtype]).reshape(info.shape)
    except OSError as error:
        raise AdairError(f"{header.path}: cannot be read: {error.strerror or error}") from error
    return tensors


def _check_finite(path: Path, name: str, tensor: Tensor) -> None:
    if not tensor.isfinite().all():
        raise AdairError(f"{path}: tensor {short(name)} has NaN or infinite values; the weights are broken")


def _listing(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return short(names[0]) + more
