"""What runs the network: eager PyTorch, ONNX Runtime, OpenVINO, or whatever else speaks the same small protocol.

A runtime turns a merged network into a session; a session restores batches of tiles. Everything above (tiles, blends,
files) is the same for all of them. Names are imported when first used: `adair.runtimes.standalone` needs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adair.runtimes.batching import BatchingRuntime
    from adair.runtimes.protocol import Runtime, Session
    from adair.runtimes.registry import RUNTIMES, create_runtime
    from adair.runtimes.torch_eager import TorchRuntime, TorchSession

__all__ = ["RUNTIMES", "BatchingRuntime", "Runtime", "Session", "TorchRuntime", "TorchSession", "create_runtime"]

_HOMES = {
    "RUNTIMES": "registry",
    "BatchingRuntime": "batching",
    "Runtime": "protocol",
    "Session": "protocol",
    "TorchRuntime": "torch_eager",
    "TorchSession": "torch_eager",
    "create_runtime": "registry",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'adair.runtimes' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"adair.runtimes.{_HOMES[name]}"), name)
    return value
