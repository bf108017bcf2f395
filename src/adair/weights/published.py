"""Foundations from published checkpoints: NAFNet (arXiv 2204.04676) and Restormer (arXiv 2111.09881).

Both keep their tensors under the names that our backbones have, most under a key ``params``, in PyTorch's pickle
format. Their shape and the number of blocks are derived from the tensors.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adair.errors import FileFormatError, InputError
from adair.weights.files import read_header, read_stored
from adair.weights.foundation import save_foundation

CONTAINERS = ("params_ema", "params", "state_dict")  # keys that checkpoints keep their tensors under, best first


def import_foundation(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    allow_pickle: bool = False,
    card: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float16,
) -> str:
    """Write a foundation file from a published checkpoint and return its fingerprint.

    Args:
        source: safetensors, or PyTorch's own format.
        target: the foundation file, for `Restorer.load` and for training adapters on.
        allow_pickle: whether PyTorch's format may be read. Only tensors are then unpickled
            (``torch.load(weights_only=True)``), no code; still, take such files from whom you trust.
        card: where the weights come from, their licence.
        dtype: how values are stored.

    Raises:
        AdairError: a file that cannot be read, or that contains neither of the two networks.
    """
    source = Path(source)
    tensors = _tensors(source, allow_pickle)
    backbone, config = described(source, tensors)
    facts = {"imported_from": source.name, **(card or {})}
    return save_foundation(target, backbone, config, tensors, facts, dtype)


def described(source: Path, tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Any]]:
    """Return the backbone and the configuration that tensors belong to.

    Raises:
        FileFormatError: neither of the two.
    """
    if "intro.weight" in tensors:
        levels = _count(tensors, r"encoders\.(\d+)\.")
        return "nafnet", {
            "width": tensors["intro.weight"].shape[0],
            "encoder": [_count(tensors, rf"encoders\.{level}\.(\d+)\.") for level in range(levels)],
            "middle": _count(tensors, r"middle_blks\.(\d+)\."),
            "decoder": [_count(tensors, rf"decoders\.{level}\.(\d+)\.") for level in range(levels)],
        }
    if "patch_embed.proj.weight" in tensors:
        stages = ("encoder_level1", "encoder_level2", "encoder_level3", "latent")
        width = tensors["patch_embed.proj.weight"].shape[0]
        hidden = tensors.get("encoder_level1.0.ffn.project_out.weight", torch.empty(1, round(2.66 * width))).shape[1]
        return "restormer", {
            "width": width,
            "blocks": [_count(tensors, rf"{stage}\.(\d+)\.") for stage in stages],
            "refinement": _count(tensors, r"refinement\.(\d+)\."),
            "heads": [_heads(tensors, stage) for stage in stages],
            "expansion": 2.66 if hidden == int(2.66 * width) else hidden / width,
            "norm_bias": "encoder_level1.0.norm1.body.bias" in tensors,
        }
    raise FileFormatError(f"{source}: contains neither a NAFNet nor a Restormer; their first tensors are missing")


def _tensors(source: Path, allow_pickle: bool) -> dict[str, Tensor]:
    if not source.exists():
        raise InputError(f"{source}: not found")
    try:
        if source.suffix == ".safetensors":
            loaded: Any = read_stored(read_header(source))
        elif allow_pickle:
            loaded = torch.load(source, map_location="cpu", weights_only=True)
        else:
            raise InputError(
                f"{source}: is not a safetensors file; --allow-pickle reads tensors from PyTorch's format, and no code"
            )
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FileFormatError(f"{source}: cannot be read: {reason}") from error
    for key in CONTAINERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
            break
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise FileFormatError(f"{source}: contains something other than named tensors; not a checkpoint")
    return {str(name).removeprefix("module."): value.float() for name, value in loaded.items()}


def _count(tensors: Mapping[str, Tensor], pattern: str) -> int:
    """How many numbers a part of the names takes."""
    return len({found[1] for name in tensors if (found := re.match(pattern, name))})


def _heads(tensors: Mapping[str, Tensor], stage: str) -> int:
    name = f"{stage}.0.attn.temperature"
    return tensors[name].shape[0] if name in tensors else 1
