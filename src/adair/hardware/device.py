"""Choose where to compute."""

from __future__ import annotations

import torch

from adair.errors import InputError


def choose_device(name: str | None = None) -> torch.device:
    """Return the device to use: the named one, or the best available.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``auto`` or None takes CUDA, else MPS, else the CPU.

    Raises:
        InputError: no such device, or it is not usable here.
    """
    if name is None or name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device {name!r}: no such device; use auto, cpu, cuda, cuda:N or mps") from None
    if device.type == "cuda":
        return _checked_cuda(name, device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {name!r}: this machine has no Metal GPU that torch can use; use auto or cpu")
    if device.type not in ("cpu", "mps"):
        raise InputError(f"device {name!r}: not supported; use auto, cpu, cuda, cuda:N or mps")
    return device


def _checked_cuda(name: str, device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        built = "finds no usable NVIDIA driver" if torch.version.cuda else "was built without CUDA"
        raise InputError(f"device {name!r}: torch {torch.__version__} {built}; use auto or cpu")
    count = torch.cuda.device_count()
    index = torch.cuda.current_device() if device.index is None else device.index
    if index >= count:
        raise InputError(f"device {name!r}: this machine has {count} GPU(s); use cuda:0 to cuda:{count - 1}")
    return torch.device("cuda", index)
