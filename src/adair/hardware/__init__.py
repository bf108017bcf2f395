"""The machine and how best to use it: device, number format, memory layout, free memory, allocator.

Names are imported when first used: knowing how much memory is free needs no PyTorch.
"""

from typing import TYPE_CHECKING

from adair.lazy import lazy_names

if TYPE_CHECKING:
    from adair.hardware.allocator import allocator_state, free_unused, tune_allocator
    from adair.hardware.cpu import cpu_flags, cpu_name, usable_cores
    from adair.hardware.describe import describe
    from adair.hardware.device import choose_device
    from adair.hardware.memory import memory_available
    from adair.hardware.precision import Layout, Precision, choose_layout, choose_precision
    from adair.hardware.threads import compute_alone

__all__ = [
    "Layout",
    "Precision",
    "allocator_state",
    "choose_device",
    "choose_layout",
    "choose_precision",
    "compute_alone",
    "cpu_flags",
    "cpu_name",
    "describe",
    "free_unused",
    "memory_available",
    "tune_allocator",
    "usable_cores",
]

__getattr__ = lazy_names(
    __name__,
    {
        "allocator_state": "adair.hardware.allocator",
        "free_unused": "adair.hardware.allocator",
        "tune_allocator": "adair.hardware.allocator",
        "cpu_flags": "adair.hardware.cpu",
        "cpu_name": "adair.hardware.cpu",
        "usable_cores": "adair.hardware.cpu",
        "describe": "adair.hardware.describe",
        "choose_device": "adair.hardware.device",
        "memory_available": "adair.hardware.memory",
        "Layout": "adair.hardware.precision",
        "Precision": "adair.hardware.precision",
        "choose_layout": "adair.hardware.precision",
        "choose_precision": "adair.hardware.precision",
        "compute_alone": "adair.hardware.threads",
    },
)
