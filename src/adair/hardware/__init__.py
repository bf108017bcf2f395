"""What this machine is and how best to use it: device, number format, memory layout, memory, allocator.

Names are imported when first used: knowing how much memory is free needs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adair.hardware.allocator import allocator_state, tune_allocator
    from adair.hardware.cpu import cpu_flags, cpu_name, usable_cores
    from adair.hardware.describe import describe
    from adair.hardware.device import choose_device
    from adair.hardware.memory import memory_available
    from adair.hardware.precision import Layout, Precision, choose_layout, choose_precision

__all__ = [
    "Layout",
    "Precision",
    "allocator_state",
    "choose_device",
    "choose_layout",
    "choose_precision",
    "cpu_flags",
    "cpu_name",
    "describe",
    "memory_available",
    "tune_allocator",
    "usable_cores",
]

_HOMES = {
    "allocator_state": "allocator",
    "tune_allocator": "allocator",
    "cpu_flags": "cpu",
    "cpu_name": "cpu",
    "usable_cores": "cpu",
    "describe": "describe",
    "choose_device": "device",
    "memory_available": "memory",
    "Layout": "precision",
    "Precision": "precision",
    "choose_layout": "precision",
    "choose_precision": "precision",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'adair.hardware' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"adair.hardware.{_HOMES[name]}"), name)
    return value
