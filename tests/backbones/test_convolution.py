from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from adair.adapters import AdaptedModel, create_adapter
from adair.backbones import build_backbone
from adair.backbones.convolution import Conv2d


def pair_of(channels: int, out: int, kernel: int, **rest: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Ours and PyTorch's, with the same weights, both frozen."""
    torch.manual_seed(0)
    ours = Conv2d(channels, out, kernel, **rest)
    theirs = nn.Conv2d(channels, out, kernel, **rest)
    theirs.load_state_dict(ours.state_dict())
    return ours.requires_grad_(False), theirs.requires_grad_(False)


def run(layer: nn.Conv2d, x: Tensor, precision: torch.dtype | None) -> tuple[Tensor, Tensor]:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
        y = layer(x)
    (y.float() ** 2).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    "shape",
    [(8, 16, 1, {}), (8, 8, 3, {"padding": 1, "groups": 8}), (4, 8, 2, {"stride": 2}), (3, 8, 3, {"padding": 1})],
)
def test_passes_on_the_gradient_that_pytorch_does(
    shape: tuple[int, int, int, dict[str, int]], layout: torch.memory_format, precision: torch.dtype | None
) -> None:
    channels, out, kernel, rest = shape
    ours, theirs = pair_of(channels, out, kernel, **rest)
    x = torch.randn(2, channels, 12, 10).contiguous(memory_format=layout)
    (y, gradient), (expected_y, expected) = run(ours, x, precision), run(theirs, x, precision)
    assert torch.equal(y, expected_y)
    assert gradient.dtype == expected.dtype and gradient.stride() == expected.stride()
    assert torch.allclose(gradient, expected, rtol=1e-5 if precision is None else 2e-2, atol=1e-4)


def test_a_trained_weight_still_gets_its_gradient() -> None:
    layer = Conv2d(4, 4, 3, padding=1)
    layer(torch.randn(1, 4, 8, 8, requires_grad=True)).sum().backward()
    assert layer.weight.grad is not None and layer.bias is not None and layer.bias.grad is not None


def saved_bytes(model: nn.Module, x: Tensor) -> int:
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(x)
    return sum(kept.values())


def test_training_an_adapter_keeps_a_good_deal_less_than_training_the_network() -> None:
    config = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}
    x = torch.rand(1, 3, 64, 64)
    full = saved_bytes(build_backbone("nafnet", config), x)
    adapted = AdaptedModel(build_backbone("nafnet", config))
    adapted.attach(create_adapter("conv", adapted.model, reduction=8, sites="second"))
    assert saved_bytes(adapted, x) < 0.75 * full
