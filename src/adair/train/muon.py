"""Muon: a step moves a matrix of weights by the same amount in all its directions, the rare ones included."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

SMALLEST = 8  # channels in or out: below there are too few directions for the idea to matter
LARGEST = 256  # shorter side: on a CPU the steps of larger matrices would cost more than their gradients

MOMENTUM = 0.95
ITERATIONS = 4
# The quintic that drives all singular values towards 1 fastest, from anywhere in 0..1 to about 0.7..1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
LIKE_ADAM = 0.2  # root mean square of an update in units of the learning rate: about what AdamW's updates have


def suits(parameter: Tensor) -> bool:
    """Whether Muon is for ``parameter``: a weight (out, in, ...) that mixes channels, of a size that pays."""
    if parameter.ndim < 2 or min(parameter.shape[:2]) < SMALLEST:
        return False
    return min(parameter.shape[0], parameter[0].numel()) <= LARGEST


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest orthogonal matrix in its place (K. Jordan et al., "Muon", 2024).

    A weight (out, in, ...) counts as a matrix, out by all else. Updates are scaled to the size of AdamW's (arXiv
    2502.16982, section 2.2), so one learning rate serves both. PyTorch's own (2.9 and later) takes no convolutions.

    Args:
        parameters: those that `suits` accepts.
        weight_decay: share of a weight that a step at learning rate 1 would take away.
        dtype: precision in which matrices are made orthogonal; bfloat16 is enough where it is fast.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay})
        self._dtype = dtype
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {"momentum": torch.zeros_like(parameter, requires_grad=False)}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the weights; ``closure`` is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.state[parameter]["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                matrix = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)  # one step ahead, as Nesterov's
                direction = orthogonal(matrix.to(self._dtype)).to(parameter.dtype).view_as(parameter)
                size = LIKE_ADAM * math.sqrt(max(matrix.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V^T of ``matrix`` = U S V^T, (rows, columns): singular values end near 1, zeros stay zero."""
    a, b, c = QUINTIC
    flat = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    x: Tensor = flat / flat.norm().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if flat is matrix else x.mT
