"""Reading the header of an untrusted safetensors file.

A safetensors file is a little-endian u64 length, a JSON object of that length that names every tensor's type, shape and
place, and the tensors' bytes. Files come from strangers, so every claim is checked against the file's true size before
anything of that size is allocated.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adair.errors import AdairError, FileFormatError, InputError
from adair.images.files import open_regular

METADATA_KEY = "adair"  # entry of the safetensors metadata that holds ours, as JSON
FORMAT = 1  # version of that JSON
ITEM_BYTES = {"F16": 2, "BF16": 2, "F32": 4}
HEADER_LIMIT = 2**20  # bytes; the largest published network needs under 0.1 MB
PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A tensor's entry in a header: type ("F16", "BF16" or "F32"), shape, and position in the data (bytes)."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Header:
    """A checked header.

    Attributes:
        path: the file.
        kind: "foundation", "adapter" or "estimator"; None for a plain safetensors file, such as a published checkpoint.
        metadata: our metadata (see docs of `save_foundation` and `save_adapter`); for a plain file, its strings.
        tensors: name to type, shape and place.
        file_bytes: size of the whole file.
    """

    path: Path
    kind: str | None
    metadata: dict[str, Any]
    tensors: dict[str, TensorInfo]
    file_bytes: int

    @property
    def parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(math.prod(info.shape) for info in self.tensors.values())


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read and check the header of a safetensors file; no tensor is read.

    Raises:
        InputError: the file is missing or cannot be read.
        FileFormatError: it is not a safetensors file, or a claim of its header is false.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            length = _header_length(path, file.read(8), size)
            text = file.read(length)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        why = "not found; check the name" if missing else f"cannot be read: {error.strerror or error}"
        raise InputError(f"{path}: {why}") from error
    entries = _parse(path, text, "header")
    strings = entries.pop("__metadata__", {})
    if not isinstance(strings, dict) or not all(isinstance(value, str) for value in strings.values()):
        raise FileFormatError(f"{path}: its __metadata__ is not a list of strings by name; the file is damaged")
    tensors = _tensors(path, entries, size - 8 - length)
    kind, metadata = _our_metadata(path, strings)
    return Header(path, kind, metadata, tensors, size)


def short(value: object) -> str:
    """Show a value from a file in one line of bounded length, with control characters escaped."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def read_unshuffle(facts: Mapping[str, Any]) -> int:
    """Return the ``unshuffle`` in the metadata of a network or an adapter; files of full resolution do not mention it.

    Raises:
        AdairError: not an integer.
    """
    factor = facts.get("unshuffle", 1)
    if type(factor) is not int:
        raise AdairError(f"unshuffle must be an integer, not {short(factor)}")
    return factor


def unshuffle_facts(factor: int) -> dict[str, int]:
    """Return what metadata and checkpoints say of an ``unshuffle``: nothing of full resolution.

    >>> unshuffle_facts(2), unshuffle_facts(1)
    ({'unshuffle': 2}, {})
    """
    return {} if factor == 1 else {"unshuffle": factor}


def _header_length(path: Path, start: bytes, size: int) -> int:
    if size == 0:
        raise FileFormatError(f"{path}: is empty (0 bytes); download or save it again")
    if start.startswith(PICKLE_STARTS):
        raise FileFormatError(
            f"{path}: is a PyTorch pickle, despite its name; pickles can run code and are never opened, "
            "so ask its author for a safetensors file"
        )
    if len(start) < 8:
        raise FileFormatError(f"{path}: {size} bytes are too few for a safetensors file; download or save it again")
    length = int.from_bytes(start, "little")
    if length > HEADER_LIMIT:
        raise FileFormatError(f"{path}: is not a safetensors file")
    if length > size - 8:
        raise FileFormatError(
            f"{path}: is cut short: its header needs {length} bytes, but only {size - 8} exist; download it again"
        )
    return length


def _parse(path: Path, text: bytes | str, what: str) -> dict[str, Any]:
    """Parse a JSON object in which no name may appear twice and no number may be NaN or infinite."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            count = Counter(name for name, _ in pairs)
            twice = next(name for name in names if count[name] > 1)
            raise FileFormatError(f"{path}: its {what} names {short(twice)} twice; the file is damaged or hostile")
        return names

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: its {what} is not JSON ({short(str(error))}); the file is damaged") from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{path}: its {what} is a JSON {type(value).__name__}, no object; the file is damaged")
    return value


def _tensors(path: Path, entries: dict[str, Any], data_bytes: int) -> dict[str, TensorInfo]:
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    end = 0
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].bytes)):
        if info.start != end:
            fault = "overlaps the one before it" if info.start < end else "leaves a hole before it"
            raise FileFormatError(f"{path}: tensor {short(name)} at byte {info.start} {fault} (expected byte {end})")
        end += info.bytes
        if end > data_bytes:
            raise FileFormatError(
                f"{path}: is cut short: tensor {short(name)} ends at byte {end} of the data and "
                f"only {data_bytes} exist; download it again"
            )
    if end != data_bytes:
        raise FileFormatError(f"{path}: has {data_bytes - end} bytes after its last tensor; the file is damaged")
    return tensors


def _tensor(path: Path, name: str, entry: Any) -> TensorInfo:
    where = f"{path}: tensor {short(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"{where} is described by {short(entry)}; expected dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise FileFormatError(f"{where} has type {short(dtype)}; weights are {', '.join(ITEM_BYTES)}")
    if not _sizes(shape) or len(shape) > 8:
        raise FileFormatError(f"{where} has the impossible shape {short(shape)}")
    if not _sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FileFormatError(f"{where} has the impossible place {short(offsets)}")
    start, end = offsets
    needed = math.prod(shape) * ITEM_BYTES[dtype]
    if needed != end - start:
        raise FileFormatError(f"{where} of shape {short(shape)} needs {needed} bytes and has {end - start}")
    return TensorInfo(dtype, tuple(shape), start, needed)


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**40 for item in value)


def _our_metadata(path: Path, strings: dict[str, str]) -> tuple[str | None, dict[str, Any]]:
    if METADATA_KEY not in strings:
        return None, dict(strings)
    metadata = _parse(path, strings[METADATA_KEY], "metadata")
    version, kind = metadata.get("format"), metadata.get("kind")
    if type(version) is not int or version > FORMAT or version < 1:
        raise FileFormatError(f"{path}: has format version {short(version)}, this AdaIR reads {FORMAT}; update AdaIR")
    if kind not in ("foundation", "adapter", "estimator"):
        raise FileFormatError(f"{path}: is of kind {short(kind)}; expected a foundation, an adapter or an estimator")
    return kind, metadata
