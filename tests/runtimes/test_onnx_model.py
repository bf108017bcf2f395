"""Networks as ONNX: the same picture at every size, whichever way the graph was made."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from adair.adapters import AdaptedModel, create_adapter
from adair.backbones import build_backbone, set_local_statistics
from adair.degradations import resize
from adair.runtimes.enlarge import Clamp, Enlarge
from adair.runtimes.onnx_model import fused, to_onnx

CONFIG = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


def network(reach: int | None = 2, config: dict[str, Any] = CONFIG, unshuffle: int = 1) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = build_backbone("nafnet", config, unshuffle).eval().requires_grad_(False)
    for value in model.parameters():
        value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    set_local_statistics(model, reach)
    return model


def run(model: nn.Module, x: torch.Tensor, size: tuple[int, int] | None = None, half: bool = False) -> np.ndarray:
    session = onnxruntime.InferenceSession(to_onnx(model, size, half).SerializeToString())
    return session.run(None, {"input": x.numpy()})[0]


@pytest.mark.parametrize(("reach", "unshuffle"), [(2, 1), (None, 1), (2, 2)])
@pytest.mark.parametrize("size", [(1, 1), (37, 50), (64, 96), (131, 33)])
def test_any_size(reach: int | None, unshuffle: int, size: tuple[int, int]) -> None:
    model = fused(network(reach, unshuffle=unshuffle))
    x = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(run(model, x), model(x).numpy(), atol=2e-6)


def test_one_size_only_and_half_the_bytes() -> None:
    model = fused(network())
    x = torch.rand(1, 3, 64, 64)
    np.testing.assert_allclose(run(model, x, (64, 64)), model(x).numpy(), atol=2e-6)
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        run(model, x[..., :32], (64, 64))
    wide = fused(build_backbone("nafnet", {"width": 32, "encoder": (1,), "middle": 0, "decoder": (1,)}))
    full, half = (to_onnx(wide, half=half).ByteSize() for half in (False, True))
    assert half < 0.65 * full
    assert 0 < np.abs(run(wide, x, half=True) - wide(x).numpy()).max() < 2e-3


def test_a_sequence_with_an_enlargement_is_one_graph() -> None:
    model = nn.Sequential(fused(network()), Clamp(), Enlarge(2), fused(network()))
    x = torch.rand(1, 3, 21, 30)
    result = run(model, x)
    assert result.shape == (1, 3, 42, 60)
    np.testing.assert_allclose(result, model(x).detach().numpy(), atol=3e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarging_is_what_restoring_does(scale: int) -> None:
    x = torch.rand(2, 3, 7, 11)
    expected = resize(x, (7 * scale, 11 * scale), scale).clamp(0, 1)
    torch.testing.assert_close(Enlarge(scale)(x), expected, atol=1e-6, rtol=0)


def test_what_our_graph_does_not_know_goes_through_the_exporter_of_pytorch() -> None:
    adapted = AdaptedModel(network(2, {"width": 4, "encoder": (1,), "middle": 0, "decoder": (0,)}))
    adapter = create_adapter("conv", adapted.model)
    for value in adapter.parameters():
        value.data.add_(0.02)
    adapted.attach(adapter)
    x = torch.rand(1, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself, where it copies what it caught
        result = run(fused(adapted.model), x, (32, 32))
    np.testing.assert_allclose(result, adapted(x).detach().numpy(), atol=1e-5)


def test_what_goes_through_the_exporter_has_half_the_bytes_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 3, 3)).eval().requires_grad_(False)
    x = torch.rand(1, 3, 32, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full, half = (to_onnx(model, (32, 32), half).ByteSize() for half in (False, True))
        result = run(model, x, (32, 32), half=True)
    assert half < 0.65 * full
    assert 0 < np.abs(result - model(x).numpy()).max() < 2e-3
