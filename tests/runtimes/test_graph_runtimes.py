"""ONNX Runtime and OpenVINO behind the seam: the same pictures as PyTorch, and plain words where they cannot."""

from __future__ import annotations

import copy
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from adair.backbones import build_backbone, set_local_statistics
from adair.errors import AdairError, InputError
from adair.runtimes import create_runtime
from adair.runtimes.graph_runtimes import OnnxSession

NAMES = ["onnxruntime", "openvino"]
PACKAGES = {"onnxruntime": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    config = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}
    model = build_backbone("nafnet", config).eval().requires_grad_(False)
    for value in model.parameters():
        value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    set_local_statistics(model, 2)
    return model


@pytest.mark.parametrize("name", NAMES)
def test_a_session_computes_what_the_network_does(name: str, network: nn.Module) -> None:
    pytest.importorskip(PACKAGES[name])
    session = create_runtime(name, "cpu", "fp32").load(copy.deepcopy(network))
    assert session.nbytes > 10_000
    tiles = [torch.rand(2, 3, 37, 50), torch.rand(1, 3, 64, 33), torch.rand(1, 3, 1, 1)]
    with ThreadPoolExecutor(3) as pool:
        for x, result in zip(tiles * 3, pool.map(session, tiles * 3), strict=True):
            assert result.dtype == torch.float32
            torch.testing.assert_close(result, network(x), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_refusals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=f"device 'cuda': runtime {name} runs on the CPU"):
        create_runtime(name, "cuda")
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    with pytest.raises(AdairError, match=f"runtime {name}: its packages are missing: pip install"):
        create_runtime(name)


def test_onnxruntime_computes_in_fp32() -> None:
    with pytest.raises(InputError, match="computes in fp32"):
        create_runtime("onnxruntime", None, "bf16")


def test_running_out_of_memory_is_told_so_that_tiles_can_shrink() -> None:
    class Full:
        def run(self, names: object, inputs: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 99")

    with pytest.raises(MemoryError):
        OnnxSession(Full(), 0)(torch.rand(1, 3, 8, 8))
