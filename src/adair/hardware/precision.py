"""Choose the number format and the memory layout that are fastest on a device without changing the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from adair.errors import InputError
from adair.hardware.cpu import cpu_flags

NAMES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """The number format a network computes in, and why it was chosen."""

    dtype: torch.dtype
    reason: str

    @property
    def name(self) -> str:
        """``fp32``, ``bf16`` or ``fp16``."""
        return next(name for name, dtype in NAMES.items() if dtype == self.dtype)


@dataclass(frozen=True)
class Layout:
    """How tensors lie in memory (``channels_last``: a pixel's channels side by side), and why."""

    memory_format: torch.memory_format
    reason: str

    @property
    def name(self) -> str:
        """``channels-last`` or ``contiguous``."""
        return "channels-last" if self.memory_format == torch.channels_last else "contiguous"


def choose_precision(name: str | None, device: torch.device) -> Precision:
    """The named number format, or the one that is fast in hardware on ``device``.

    Args:
        name: ``fp32``, ``bf16`` or ``fp16``; ``auto`` or None chooses.
        device: where the network will run.

    Raises:
        InputError: an unknown name, or a format that the device cannot use.
    """
    if name is None or name == "auto":
        return _best_on(device)
    if name not in NAMES:
        raise InputError(f"precision {name!r}: no such precision; use auto, {', '.join(NAMES)}")
    if name == "fp16" and device.type == "cpu":
        raise InputError("precision 'fp16': too slow and too coarse on a CPU; use auto, bf16 or fp32")
    reason = "as asked"
    if name == "bf16" and _best_on(device).dtype != torch.bfloat16:
        reason += "; without hardware support here, so it may be slower than fp32"
    return Precision(NAMES[name], reason)


def _best_on(device: torch.device) -> Precision:
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if major >= 8:
            return Precision(torch.bfloat16, f"the GPU has bf16 tensor cores (compute capability {major}.{minor})")
        if major == 7:
            return Precision(torch.float16, f"the GPU has fp16 tensor cores (compute capability {major}.{minor})")
        return Precision(torch.float32, f"the GPU has no tensor cores (compute capability {major}.{minor})")
    if device.type == "mps":
        return Precision(torch.float32, "half precision is not measured on Metal GPUs yet")
    found = sorted(cpu_flags() & {"avx512_bf16", "amx_bf16"})
    if found:
        return Precision(torch.bfloat16, f"the CPU has {' and '.join(found)}")
    return Precision(torch.float32, "the CPU has neither avx512_bf16 nor amx_bf16")


def choose_layout(device: torch.device) -> Layout:
    """Channels-last where the convolution library works in it: CPUs (oneDNN) and NVIDIA GPUs (cuDNN)."""
    if device.type == "mps":
        return Layout(torch.contiguous_format, "channels-last is not measured on Metal GPUs yet")
    library = "oneDNN" if device.type == "cpu" else "cuDNN"
    return Layout(torch.channels_last, f"{library} convolves it without reordering")
