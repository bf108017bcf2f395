"""Runtimes for the network: eager PyTorch, ONNX Runtime, OpenVINO, or anything else with the same small protocol.

A runtime turns a merged network into a session; a session restores batches of tiles. Everything above (tiles, blends,
files) is the same for all of them. Names are imported when first used: `adair.runtimes.standalone` needs no PyTorch.
"""

from typing import TYPE_CHECKING

from adair.lazy import lazy_names

if TYPE_CHECKING:
    from adair.runtimes.batching import BatchingRuntime
    from adair.runtimes.protocol import Runtime, Session
    from adair.runtimes.registry import RUNTIMES, create_runtime
    from adair.runtimes.torch_eager import TorchRuntime, TorchSession

__all__ = ["RUNTIMES", "BatchingRuntime", "Runtime", "Session", "TorchRuntime", "TorchSession", "create_runtime"]

__getattr__ = lazy_names(
    __name__,
    {
        "RUNTIMES": "adair.runtimes.registry",
        "BatchingRuntime": "adair.runtimes.batching",
        "Runtime": "adair.runtimes.protocol",
        "Session": "adair.runtimes.protocol",
        "TorchRuntime": "adair.runtimes.torch_eager",
        "TorchSession": "adair.runtimes.torch_eager",
        "create_runtime": "adair.runtimes.registry",
    },
)
