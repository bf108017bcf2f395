"""A convolution that keeps only what its own gradients need."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Pair = tuple[int, ...]


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` that keeps its input for the backward pass only if its weight is trained.

    PyTorch always keeps it. Below an adapter this wastes memory, because the gradient that a frozen convolution passes
    on depends only on its weight.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return convolve(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Pair = (1, 1),
    padding: Pair | str = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Compute `F.conv2d`, without keeping ``x`` (N, C, H, W) if it is not needed."""
    trained = weight.requires_grad or (bias is not None and bias.requires_grad)
    as_usual = trained or not (x.requires_grad and torch.is_grad_enabled())
    if as_usual or isinstance(padding, str) or torch.compiler.is_compiling():  # a compiler decides itself what to keep
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
    settings = (stride, padding, dilation, groups)
    out: Tensor = _FrozenConvolution.apply(x, weight, bias, settings)  # type: ignore[no-untyped-call]
    return out


class _FrozenConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, settings: Any) -> Tensor:
        ctx.like = (x.shape, x.dtype, x.is_contiguous(memory_format=torch.channels_last))
        out = F.conv2d(x, weight, bias, *settings)
        ctx.save_for_backward(weight.to(out.dtype))  # the precision that autocast has chosen
        ctx.settings = settings
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        shape, dtype, last = ctx.like
        layout = torch.channels_last if last else torch.contiguous_format
        x = torch.empty(
            shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout
        )  # only its shape and layout are used
        stride, padding, dilation, groups = ctx.settings
        passed_on, _, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, stride, padding, dilation, False, (0, 0), groups, (True, False, False)
        )
        return passed_on.to(dtype), None, None, None
