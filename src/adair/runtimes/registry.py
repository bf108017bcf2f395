"""The runtimes by name."""

from __future__ import annotations

from collections.abc import Callable

from adair.errors import InputError
from adair.runtimes.protocol import Runtime
from adair.runtimes.torch_eager import TorchRuntime

RUNTIMES: dict[str, Callable[[str | None, str | None], Runtime]] = {"torch": TorchRuntime}
"""Name to what makes the runtime from the names of a device and a precision (None: the best there is).

An entry imports what it needs when it is called, so that a missing extra matters only to those who ask for it.
"""


def create_runtime(name: str = "torch", device: str | None = None, precision: str | None = None) -> Runtime:
    """Make the runtime ``name`` for a device and a precision.

    Raises:
        AdairError: an unknown name, a device or precision that the runtime does not have, or a missing extra.
    """
    if name not in RUNTIMES:
        raise InputError(f"runtime '{name}': no such runtime; use {', '.join(RUNTIMES)}")
    return RUNTIMES[name](device, precision)
