"""The seam for runtimes, and PyTorch behind it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from adair.adapters import AdaptedModel, create_adapter
from adair.backbones import build_backbone, set_local_statistics
from adair.errors import InputError
from adair.runtimes import RUNTIMES, Runtime, TorchRuntime, create_runtime

BACKBONES = {
    "nafnet": {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)},
    "restormer": {"width": 8, "blocks": (1, 1, 1, 1), "refinement": 1, "heads": (1, 1, 1, 1)},
}


def network(backbone: str) -> nn.Module:
    torch.manual_seed(0)  # networks start from torch's own generator
    generator = torch.Generator().manual_seed(0)
    model = build_backbone(backbone, BACKBONES[backbone]).eval().requires_grad_(False)
    for value in model.parameters():
        value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    set_local_statistics(model, 2)
    return model


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("kind", [None, "merge", "conv"])
def test_a_session_computes_what_the_network_does(backbone: str, kind: str | None) -> None:
    model = network(backbone)
    if kind:
        adapter = create_adapter(kind, model)
        for value in adapter.parameters():
            value.data.add_(0.02)
        adapted = AdaptedModel(model)
        adapted.attach(adapter)
        adapted.merge()
    tiles = torch.rand(2, 3, 37, 50, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(tiles)
    before = tiles.clone()
    session = TorchRuntime("cpu", "fp32").load(copy.deepcopy(model))
    result = session(tiles)
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=1e-4)
    assert torch.equal(tiles, before)
    assert not result.requires_grad


def test_half_the_precision_is_half_the_memory_and_the_result_stays_float32() -> None:
    full, half = (TorchRuntime("cpu", name).load(network("nafnet")) for name in ("fp32", "bf16"))
    assert full.nbytes == 2 * half.nbytes > 10_000
    assert half(torch.rand(1, 3, 16, 16)).dtype == torch.float32


def test_runtimes_go_by_name() -> None:
    runtime: Runtime = create_runtime("torch", "cpu", "fp32")
    assert runtime.name in RUNTIMES
    assert runtime.device == torch.device("cpu")
    assert runtime.precision.name == "fp32"
    with pytest.raises(InputError, match=r"runtime 'abacus': no such runtime; use auto, torch"):
        create_runtime("abacus")
