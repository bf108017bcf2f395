"""The runtimes by name."""

from __future__ import annotations

from collections.abc import Callable

from adair.errors import AdairError, InputError
from adair.runtimes.graph_runtimes import OnnxRuntime, OpenVinoRuntime
from adair.runtimes.measured import fastest
from adair.runtimes.protocol import Runtime
from adair.runtimes.torch_eager import TorchRuntime

RUNTIMES: dict[str, Callable[[str | None, str | None], Runtime]] = {
    "torch": TorchRuntime,
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVinoRuntime,
}
"""Name to what makes the runtime from the names of a device and a precision (None: the best there is).

An entry imports what it needs when it is called, so that a missing extra matters only to those who ask for it.
"""

AUTO = "auto"


def create_runtime(name: str = "torch", device: str | None = None, precision: str | None = None) -> Runtime:
    """Make the runtime ``name`` for a device and a precision.

    "auto" is the fastest runtime that `adair doctor --measure` found on this processor to give PyTorch's picture; it is
    PyTorch where nothing was measured, on a GPU, or if that runtime is not there any more.

    Raises:
        AdairError: an unknown name, a device or precision that the runtime does not have, or a missing extra.
    """
    if name == AUTO:
        return _fastest(device, precision)
    if name not in RUNTIMES:
        raise InputError(f"runtime '{name}': no such runtime; use {AUTO}, {', '.join(RUNTIMES)}")
    return RUNTIMES[name](device, precision)


def _fastest(device: str | None, precision: str | None) -> Runtime:
    usual = TorchRuntime(device, precision)
    name = fastest()
    if usual.device.type != "cpu" or name not in RUNTIMES or name == usual.name:
        return usual
    try:
        return RUNTIMES[name](device, precision)
    except AdairError:
        return usual
