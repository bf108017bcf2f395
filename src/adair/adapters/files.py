"""Adapter files: only the adapter's tensors, and the fingerprint of the foundation that they fit."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from adair.adapters.adapter import Adapter
from adair.adapters.kinds import empty_adapter
from adair.errors import AdairError, AdapterMismatchError, FileFormatError
from adair.hub import locate
from adair.weights import Foundation, check_tensors, fingerprint, read_header, read_tensors, write_safetensors
from adair.weights.header import read_unshuffle, short, unshuffle_facts

TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclasses.dataclass(frozen=True)
class LoadedAdapter:
    """An adapter from a file.

    Attributes:
        adapter: the adapter, float32, on the CPU.
        task: its name for users.
        card: recipe, training facts, measured numbers, licence: whatever its author recorded.
    """

    adapter: Adapter
    task: str
    card: dict[str, Any]


def save_adapter(
    path: str | os.PathLike[str],
    adapter: Adapter,
    *,
    foundation_fingerprint: str,
    task: str,
    card: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write an adapter file; a partial file is never visible.

    The file's metadata: format, kind "adapter", adapter (kind, options, unshuffle if not 1), foundation (fingerprint),
    task, checksum (`fingerprint` of its own tensors), card.

    Args:
        path: the file.
        adapter: the adapter.
        foundation_fingerprint: `Foundation.fingerprint` of the foundation that it was trained on.
        task: its name for users.
        card: recipe, training facts, measured numbers, licence; anything that JSON can hold.
        dtype: how values are stored: torch.float16, bfloat16 or float32.

    Raises:
        AdairError: values that are not finite in ``dtype``, an invalid task name, an unwritable folder.
    """
    if not TASK_NAME.fullmatch(task):
        raise AdairError(f"{path}: task {task!r} is not a valid name; use at most 64 letters, digits, '-', '_' and '.'")
    tensors = {name: parameter.detach().to(dtype) for name, parameter in adapter.state_dict().items()}
    metadata = {
        "kind": "adapter",
        "adapter": {"kind": adapter.kind, "options": adapter.options, **unshuffle_facts(adapter.unshuffle)},
        "foundation": foundation_fingerprint,
        "task": task,
        "checksum": fingerprint(tensors),
        "card": dict(card or {}),
    }
    write_safetensors(path, tensors, metadata)


def load_adapter(path: str | os.PathLike[str], foundation: Foundation) -> LoadedAdapter:
    """Load an adapter file for a foundation.

    Args:
        path: the file, or whatever else `adair.hub.locate` takes: a folder, ``zoo/NAME``, ``hf://user/name``, https.
        foundation: the foundation.

    Raises:
        AdairError: a file that cannot be found or read, is not an adapter, is for another foundation, or whose tensors
            are not exactly those of its kind.
    """
    header = read_header(locate(path))
    if header.kind != "adapter":
        what = "a foundation" if header.kind else "not an AdaIR file"
        raise FileFormatError(f"{header.path}: is {what}; expected an adapter")
    named = header.metadata.get("foundation")
    if named != foundation.fingerprint:
        raise AdapterMismatchError(
            f"{header.path}: is for foundation {_brief(named)}, but this one is {_brief(foundation.fingerprint)}; "
            "load that foundation, or train the adapter again on this one"
        )
    loaded = _described(header.path, header.metadata, foundation)
    check_tensors(header, {name: tuple(tensor.shape) for name, tensor in loaded.adapter.state_dict().items()})
    loaded.adapter.load_state_dict(read_tensors(header), assign=True)
    return loaded


def _described(path: Path, metadata: Mapping[str, Any], foundation: Foundation) -> LoadedAdapter:
    """Create the adapter that the metadata describe, without values."""
    description, task, card = metadata.get("adapter"), metadata.get("task"), metadata.get("card", {})
    if not isinstance(description, dict) or not isinstance(description.get("options"), dict):
        raise AdairError(f"{path}: does not describe its adapter; the file is damaged")
    if not isinstance(task, str) or not TASK_NAME.fullmatch(task) or not isinstance(card, dict):
        raise AdairError(f"{path}: its task {short(task)} or its card is not readable; the file is damaged")
    try:
        network = foundation.unshuffled(read_unshuffle(description)).model
        adapter = empty_adapter(str(description.get("kind")), network, description["options"])
    except AdairError as error:
        raise AdairError(f"{path}: {error}") from error
    return LoadedAdapter(adapter, task, card)


def _brief(mark: object) -> str:
    return mark[:12] if isinstance(mark, str) and mark.isalnum() and mark.isascii() else short(mark)
