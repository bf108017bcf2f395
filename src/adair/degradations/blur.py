"""Gaussian blur, round or elongated."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.linear import convolve, filter_side
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

_REACH = 4.0  # standard deviations; what lies beyond moves a pixel by less than 0.02 of 255


def blur(
    x: Tensor, generator: torch.Generator, *, sigma: Tensor, ratio: Tensor, angle: Tensor, kernel: Tensor
) -> Tensor:
    """Gaussian blur: weights exp(-(u^2 / sigma^2 + v^2 / (ratio sigma)^2) / 2) on kernel x kernel pixels, summing to 1.

    u runs along ``angle`` (degrees from horizontal, counter-clockwise), v across; ``ratio=1`` is isotropic. Reflected
    border, result rounded to 8 bits: with kernel 25 and ratio 1 the project's deblurring protocol; elongated kernels as
    in BSRGAN (Zhang et al. 2021, arXiv 2103.14006, section 3.1). The tails of a kernel are cut where the rounding
    swallows them.
    """
    radius = _radius(sigma, kernel)
    reach = int(radius.max())
    if reach == 0:
        return quantise(x)
    if bool((ratio < 1).any()):
        weights = _elongated(sigma, ratio, angle, radius, reach)
        return quantise(convolve(x, on_device_of(weights, x)))
    taps = on_device_of(_round(sigma, radius, reach), x)
    return quantise(filter_side(filter_side(x, taps, 3), taps, 2))


def gaussian_taps(sigma: float, kernel: int = 25) -> Tensor:
    """The weights (taps,) along a side with which ``blur`` blurs at ``ratio=1``: the kernel is their outer product."""
    one, radius = torch.tensor([sigma]), _radius(torch.tensor([sigma]), torch.tensor([float(kernel)]))
    return _round(one, radius, int(radius))[0]


def gaussian_rows(sigma: Tensor) -> Tensor:
    """The weights (N, taps) of each sample's whole Gaussian along one side; 0 is a single tap of weight 1."""
    radius = (_REACH * sigma).ceil()
    return _round(sigma, radius, int(radius.max()))


def _radius(sigma: Tensor, kernel: Tensor) -> Tensor:
    return torch.minimum((kernel / 2).floor(), (_REACH * sigma).ceil())


def _round(sigma: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Weights (N, 2 * reach + 1) of each sample's Gaussian along one side, zero beyond its own radius."""
    offset = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weight = torch.exp(-offset.square() / (2 * sigma.clamp(min=1e-3).square().unsqueeze(1)))
    weight = weight.masked_fill(offset.abs() > radius.unsqueeze(1), 0.0)
    return weight / weight.sum(dim=1, keepdim=True)


def _elongated(sigma: Tensor, ratio: Tensor, angle: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Kernels (N, 2 * reach + 1, 2 * reach + 1), each zero beyond its own radius."""
    sigma, ratio, radius = (v.view(-1, 1, 1) for v in (sigma.clamp(min=1e-3), ratio, radius))
    turn = angle.view(-1, 1, 1) * (math.pi / 180)
    across = torch.arange(-reach, reach + 1, dtype=torch.float32)
    down = across.view(1, -1, 1)
    u = across * torch.cos(turn) - down * torch.sin(turn)
    v = across * torch.sin(turn) + down * torch.cos(turn)
    narrow = (ratio * sigma).clamp(min=0.2)  # thinner than this a line falls between the pixels
    weight = torch.exp(-0.5 * ((u / sigma).square() + (v / narrow).square()))
    weight = weight.masked_fill((across.abs() > radius) | (down.abs() > radius), 0.0)
    return weight / weight.sum(dim=(1, 2), keepdim=True)
