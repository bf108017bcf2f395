"""Checkpoints: everything that a run needs to continue, in one safetensors file or in several parts.

A checkpoint is a named file, here ``run.safetensors``, and the parts that its header lists (none by default). Parts are
written first, under unique names; the named file is then replaced atomically. So at any moment the name refers to a
complete checkpoint, the new or the previous one. Older checkpoints are kept as ``run-STEP.safetensors``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adair.errors import AdairError
from adair.images import new_file

SLACK = 1_000_000  # bytes: headers, the index, overhead of the file system
ENTRY = 200  # upper limit in bytes for a tensor's entry in a file's header, in addition to its name
Parts = list[dict[str, Tensor]]


@dataclass(frozen=True)
class Saving:
    """How often and in which form checkpoints are written.

    Attributes:
        minutes: time between checkpoints.
        keep: how many to keep, the newest included.
        part_mb: largest size of a file in MB (10^6 bytes); None writes one file.
        compact: moments and the average's difference from the weights in bfloat16. A run resumed from such a checkpoint
            is not bit-identical: its weights are exact, but its next steps differ by up to 0.4 %.
    """

    minutes: float = 5.0
    keep: int = 1
    part_mb: float | None = None
    compact: bool = False

    def __post_init__(self) -> None:
        if self.minutes < 0:
            raise AdairError(f"checkpoint-minutes {self.minutes} must not be negative")
        if self.keep < 1:
            raise AdairError(f"checkpoint-keep {self.keep} must be at least 1")
        if self.part_mb is not None and self.part_mb < 1:
            raise AdairError(f"checkpoint-part-mb {self.part_mb} must be at least 1")


def save_checkpoint(
    path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], saving: Saving | None = None
) -> None:
    """Write a checkpoint; the previous one stays until the new one is complete.

    Args:
        path: the file; its former content becomes the newest of the older ones, of which ``saving.keep - 1`` stay.
        tensors: name to tensor, on any device.
        facts: values for `json`, among them the number of the "step".
        saving: the form; None for one file and no older ones.

    Raises:
        AdairError: it cannot be written (full disk); the previous checkpoint is kept.
    """
    saving = saving or Saving()
    packed = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(facts)
    parts, shapes = split_tensors(packed, None if saving.part_mb is None else int(saving.part_mb * 1e6) - 2 * len(text))
    mark = f"{path.stem}-{facts['step']}-{secrets.token_hex(4)}"
    names = [f"{mark}-{number}{path.suffix}" for number in range(1, len(parts))]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path, saving.keep)
        for name, part in zip(names, parts[:-1], strict=True):
            _write(path.with_name(name), part, {})
        if saving.keep > 1:
            _keep_as_older(path)
        _write(path, parts[-1], {"checkpoint": text, "parts": json.dumps({"files": names, "shapes": shapes})})
    except (OSError, SafetensorError) as error:
        for name in names:
            with contextlib.suppress(OSError):
                path.with_name(name).unlink()
        raise AdairError(f"{path}: the checkpoint cannot be written ({error}); the previous one is kept") from error
    with contextlib.suppress(OSError):
        tidy(path, saving.keep)


def load_checkpoint(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint; return its tensors on ``device`` and its facts.

    Raises:
        AdairError: it is missing, incomplete or not a checkpoint of ours.
    """
    if not path.exists():
        raise AdairError(f"{path}: no checkpoint to resume from; start without --resume")
    try:
        facts, index = _read_header(path)
        stored: dict[str, Tensor] = {}
        for name in [*index["files"], path.name]:
            with safe_open(path.with_name(name), framework="pt", device=str(device)) as file:
                stored |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        return join_tensors(stored, index["shapes"]), facts
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        older = _older(path)
        way_out = f"rename {older[0]}, the previous one, to it" if older else "start without --resume"
        raise AdairError(f"{path}: not a training checkpoint ({error}); {way_out}") from error


def read_facts(path: Path) -> dict[str, Any]:
    """Return what a checkpoint says of itself, without its tensors; nothing if it cannot be read.

    `load_checkpoint` says why it cannot.
    """
    try:
        return _read_header(path)[0]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return {}


def check_space(path: Path, tensors: Mapping[str, Tensor], saving: Saving, result: int) -> None:
    """Create the folder of a run, and check that its files will fit on the disk.

    Args:
        path: where the checkpoint will be.
        tensors: what it will contain.
        saving: its form; all kept checkpoints count, and the new one, which is written before an old one is deleted.
        result: size of the result in bytes; counted twice, because it is written to a temporary file.

    Raises:
        AdairError: they will not fit, or the folder cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AdairError(f"{path.parent}: the folder cannot be created ({error}); choose another place") from error
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    present = sum(file.stat().st_size for file in [path, *_others(path)] if file.exists())
    needed = (saving.keep + 1) * size + 2 * result + SLACK - present
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise AdairError(
            f"{path}: the run needs {needed / 1e6:.0f} MB for checkpoints of {size / 1e6:.0f} MB, but the disk has "
            f"{free / 1e6:.0f} MB free; make room, choose another disk, or use --checkpoint-precision bf16"
        )


def tidy(path: Path, keep: int) -> None:
    """Delete older checkpoints beyond ``keep``, and parts without a checkpoint (of a run that was killed)."""
    kept = {path, *_older(path)[: keep - 1]}
    for file in list(kept):
        with contextlib.suppress(OSError, SafetensorError, KeyError, TypeError, ValueError):
            kept |= {file.with_name(name) for name in _read_header(file)[1]["files"]}
    for file in _others(path):
        if file not in kept:
            file.unlink(missing_ok=True)


def _keep_as_older(path: Path) -> None:
    """Give the checkpoint at ``path`` a second name, under which it stays when the first is replaced."""
    try:
        older = path.with_name(f"{path.stem}-{int(_read_header(path)[0]['step'])}{path.suffix}")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return  # there is none, or it is not worth keeping
    older.unlink(missing_ok=True)
    try:
        os.link(path, older)
    except OSError:  # a file system without hard links
        shutil.copy2(path, older)


def _older(path: Path) -> list[Path]:
    """Return the older checkpoints, the newest first."""
    found = [file for file in _others(path) if re.fullmatch(r"-\d+", file.stem[len(path.stem) :])]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns, reverse=True)


def _others(path: Path) -> list[Path]:
    """Return the older checkpoints and all parts."""
    name = re.compile(rf"{re.escape(path.stem)}-\d+(-[0-9a-f]{{8}}-\d+)?{re.escape(path.suffix)}")
    return [file for file in path.parent.glob("*") if name.fullmatch(file.name)]


def _read_header(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a checkpoint's facts and the index of its parts (a checkpoint of version 0.1 has none)."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    facts, index = json.loads(metadata["checkpoint"]), json.loads(metadata.get("parts", '{"files": [], "shapes": {}}'))
    if any(Path(name).name != name for name in index["files"]):
        raise ValueError("a part is in another folder")
    return facts, index


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    with new_file(path) as part:
        save_file(dict(tensors), part, metadata=metadata)


def split_tensors(tensors: Mapping[str, Tensor], limit: int | None) -> tuple[Parts, dict[str, list[int]]]:
    """Distribute tensors over parts of at most ``limit`` bytes each, headers included; None: one part.

    Returns:
        The parts, at least one, and the shape of every tensor that was split. Its pieces are named ``name#0``, ...
    """
    if limit is None:
        return [dict(tensors)], {}
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    limit -= 2 * ENTRY * (total // limit + 1)  # the last part also lists the others, and the shapes
    parts: Parts = [{}]
    room, shapes = limit, {}
    for name, tensor in tensors.items():
        flat, size = tensor.reshape(-1), tensor.element_size()
        if flat.numel() * size <= limit - ENTRY - len(name):
            pieces = {name: tensor}
        else:
            shapes[name] = list(tensor.shape)
            pieces = {
                f"{name}#{number}": piece
                for number, piece in enumerate(flat.split((limit - 2 * ENTRY - len(name)) // size))
            }
        for label, piece in pieces.items():
            taken = piece.numel() * size + ENTRY + len(label)
            if taken > room:
                parts.append({})
                room = limit
            parts[-1][label] = piece.clone() if label != name else piece  # a file cannot contain views of shared memory
            room -= taken
    return parts, shapes


def join_tensors(stored: Mapping[str, Tensor], shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    """Undo `split_tensors`; ``stored`` has the tensors of all parts.

    Raises:
        KeyError: a piece is missing.
        RuntimeError: pieces do not make up the shape.
    """
    pieces: dict[str, dict[int, Tensor]] = {name: {} for name in shapes}
    whole = {}
    for label, tensor in stored.items():
        name, _, number = label.rpartition("#")
        if name in pieces:
            pieces[name][int(number)] = tensor
        else:
            whole[label] = tensor
    for name, shape in shapes.items():
        whole[name] = torch.cat([pieces[name][number] for number in range(len(pieces[name]))]).view(shape)
    return whole
