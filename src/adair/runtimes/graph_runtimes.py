"""ONNX Runtime and OpenVINO on the CPU, from the ONNX graph of a network."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from adair.backbones import CELL
from adair.errors import AdairError, InputError
from adair.hardware import Precision, choose_precision
from adair.runtimes.onnx_model import INSTALL, fused, to_onnx

CPU = torch.device("cpu")


class OnnxRuntime:
    """Runs networks in float32 with ONNX Runtime, on the CPU; see `Runtime`.

    Args:
        device: None, "auto" or "cpu".
        precision: None, "auto" or "fp32".

    Raises:
        AdairError: another device or precision, or a missing package.
    """

    name = "onnxruntime"
    device = CPU

    def __init__(self, device: str | None = None, precision: str | None = None) -> None:
        _on_cpu(self.name, device)
        if precision not in (None, "auto", "fp32"):
            raise InputError(f"precision '{precision}': runtime {self.name} computes in fp32; leave it out")
        self.precision = Precision(torch.float32, "ONNX Runtime is fastest in it on a CPU")
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would report to its maker, offline or not
        try:
            import onnx  # noqa: F401
            import onnxruntime
        except ImportError as error:
            raise AdairError(f"runtime {self.name}: its packages are missing: {INSTALL}") from error
        self._library: Any = onnxruntime

    def load(self, network: nn.Module) -> OnnxSession:
        """Make a session from the network's graph."""
        data = to_onnx(fused(network)).SerializeToString()
        options = self._library.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return OnnxSession(self._library.InferenceSession(data, options, providers=["CPUExecutionProvider"]), len(data))


class OnnxSession:
    """A graph in ONNX Runtime."""

    def __init__(self, session: Any, nbytes: int) -> None:
        self._session, self.nbytes = session, nbytes

    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles (N, 3, H, W), one after the other; see `Session`."""
        return torch.cat([torch.from_numpy(self._run(tile[None].contiguous().numpy())) for tile in tiles])

    def _run(self, tile: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        try:
            restored: npt.NDArray[np.float32] = self._session.run(None, {"input": tile})[0]
            return restored
        except Exception as error:  # the library has no exception class of its own for this
            if "allocate memory" in str(error).lower() or "bad_alloc" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise


class OpenVinoRuntime:
    """Runs networks with OpenVINO, on the CPU; see `Runtime`.

    Args:
        device: None, "auto" or "cpu".
        precision: "fp32" or "bf16"; None or "auto" for bf16 where the processor has it.

    Raises:
        AdairError: another device or precision, or a missing package.
    """

    name = "openvino"
    device = CPU

    def __init__(self, device: str | None = None, precision: str | None = None) -> None:
        _on_cpu(self.name, device)
        self.precision = choose_precision(precision, CPU)
        try:
            import onnx  # noqa: F401
            import openvino
        except ImportError as error:
            raise AdairError(f"runtime {self.name}: its packages are missing: pip install 'adair[openvino]'") from error
        self._core: Any = openvino.Core()

    def load(self, network: nn.Module) -> OpenVinoSession:
        """Compile the network's graph for this processor."""
        network = fused(network)
        data = to_onnx(network).SerializeToString()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32" if self.precision.name == "fp32" else "bf16",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled = self._core.compile_model(self._core.read_model(data), "CPU", settings)
        return OpenVinoSession(compiled, network, len(data))


class OpenVinoSession:
    """A graph compiled by OpenVINO; every call has its own inference request, so threads do not interfere.

    Tiles smaller than a cell are run by PyTorch, because OpenVINO's pooling has no window in them.
    """

    def __init__(self, compiled: Any, network: nn.Module, nbytes: int) -> None:
        self._compiled, self._network, self.nbytes = compiled, network, 2 * nbytes

    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles (N, 3, H, W), one after the other; see `Session`."""
        if min(tiles.shape[2:]) < CELL:
            with torch.inference_mode():
                small: Tensor = self._network(tiles)
                return small
        request = self._compiled.create_infer_request()
        restored = [torch.from_numpy(request.infer(tile[None].contiguous().numpy())[0].copy()) for tile in tiles]
        return torch.cat(restored)


def _on_cpu(name: str, device: str | None) -> None:
    if device not in (None, "auto", "cpu"):
        raise InputError(f"device '{device}': runtime {name} runs on the CPU; leave the device out, or use torch")
