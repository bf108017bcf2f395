"""What this machine is and how best to use it: device, number format, memory layout, memory, allocator."""

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
