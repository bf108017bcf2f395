"""What NAFNet adds to the published network: training that works in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.backbones import build_backbone
from adair.backbones.nafnet import SimpleGate


def test_gradients_of_the_norms_are_right_in_bfloat16() -> None:
    """PyTorch's bfloat16 layer norm on a CPU loses most of them; its affine part is therefore folded into a 1x1."""
    torch.manual_seed(0)
    model = build_backbone("nafnet", {"width": 16, "encoder": [1], "middle": 1, "decoder": [1]})
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("beta", "gamma")):
                parameter.fill_(0.5)
    x = torch.rand(1, 3, 96, 96)

    def gradients(model: torch.nn.Module, x: Tensor, precision: torch.dtype) -> dict[str, Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
            loss = (model(x) - 0.9 * x).square().mean()
        loss.backward()
        return {k: p.grad.double().clone() for k, p in model.named_parameters() if p.grad is not None and ".norm" in k}

    low = gradients(model, x, torch.bfloat16)
    exact = gradients(model.double(), x.double(), torch.float64)
    assert len(low) == 12
    for name, gradient in low.items():
        assert (gradient - exact[name]).norm() <= 0.05 * exact[name].norm(), name


def test_the_gate_has_the_gradient_of_a_product() -> None:
    generator = torch.Generator().manual_seed(0)
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(2, 6, 3, 5, dtype=torch.float64, generator=generator)
        x = x.to(memory_format=layout).requires_grad_()
        assert torch.autograd.gradcheck(SimpleGate(), x)
        with torch.no_grad():
            assert torch.equal(SimpleGate()(x), x[:, :3] * x[:, 3:])
