"""One summary of the machine, for ``adair doctor`` and for the facts that trained files carry."""

from __future__ import annotations

import platform
from typing import Any

import torch

from adair.hardware.allocator import allocator_state
from adair.hardware.cpu import cpu_flags, cpu_name, usable_cores
from adair.hardware.device import choose_device
from adair.hardware.memory import memory_available
from adair.hardware.precision import choose_layout, choose_precision

_TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "neon", "asimd", "bf16")


def describe(device: str | None = None) -> dict[str, Any]:
    """Facts about this machine and the choices that follow from them, ready for JSON.

    Args:
        device: as :func:`~adair.hardware.choose_device`.

    Raises:
        AdairError: the device is not usable here.
    """
    chosen = choose_device(device)
    precision, layout = choose_precision(None, chosen), choose_layout(chosen)
    flags = cpu_flags()
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": cpu_name(),
        "cpu_features": [name for name in _TELLING if name in flags],
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_available": memory_available(),
        "gpus": [_gpu(index) for index in range(torch.cuda.device_count())],
        "device": str(chosen),
        "precision": precision.name,
        "precision_reason": precision.reason,
        "layout": layout.name,
        "layout_reason": layout.reason,
        "allocator": allocator_state(),
    }


def _gpu(index: int) -> dict[str, Any]:
    facts = torch.cuda.get_device_properties(index)
    return {"name": facts.name, "memory": facts.total_memory, "capability": f"{facts.major}.{facts.minor}"}
