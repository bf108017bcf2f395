"""Checkpoints: everything that a run needs to go on exactly where it stopped, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from adair.errors import AdairError


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all: aside first, then renamed over the last one.

    Raises:
        AdairError: if it cannot be written (disk full, say); the last checkpoint is then still there.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        packed = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        save_file(packed, aside, metadata={"checkpoint": json.dumps(facts)})
        os.replace(aside, path)
    except (OSError, SafetensorError) as error:
        raise AdairError(f"{path}: the checkpoint cannot be written ({error}); the one before it is kept") from error
    finally:
        aside.unlink(missing_ok=True)


def load_checkpoint(path: Path, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint; return its tensors on ``device`` and its facts.

    Raises:
        AdairError: if it is missing or not a checkpoint of ours.
    """
    if not path.exists():
        raise AdairError(f"{path}: no checkpoint to resume from; start without --resume")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            facts = json.loads((file.metadata() or {})["checkpoint"])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise AdairError(f"{path}: not a training checkpoint ({error}); start without --resume") from error
