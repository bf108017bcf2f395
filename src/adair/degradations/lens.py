"""Blur of a moving camera and of a lens that is out of focus."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.linear import convolve
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

_STEPS = 64  # points along the path of a motion; half a pixel apart at the greatest length, closer at others


def motion(x: Tensor, generator: torch.Generator, *, length: Tensor, angle: Tensor, bend: Tensor) -> Tensor:
    """Motion blur along a path of ``length`` pixels at ``angle`` (degrees from horizontal, counter-clockwise).

    The path is the parabola (t, 2 bend (t^2 - 1/3)) length / 2, t in -1..1, travelled evenly in t; ``bend=0`` is a
    straight line. Each of its points is spread bilinearly over four pixels; the kernel sums to 1. Straight motion is
    the textbook model (Gonzalez and Woods, "Digital image processing", section 5.6); the curve stands for the shake of
    a hand. Reflected border, rounded to 8 bits; ``length=0`` changes nothing.
    """
    time = torch.linspace(-1, 1, _STEPS)
    half, turn = length.view(-1, 1) / 2, angle.view(-1, 1) * (math.pi / 180)
    along, across = half * time, half * 2 * bend.view(-1, 1) * (time.square() - 1 / 3)
    right = along * torch.cos(turn) - across * torch.sin(turn)
    down = -along * torch.sin(turn) - across * torch.cos(turn)
    reach = int(max(float(right.abs().max()), float(down.abs().max())) + 1)
    pixel = torch.arange(-reach, reach + 1)
    columns = (1 - (right.unsqueeze(2) - pixel).abs()).clamp(min=0.0)
    rows = (1 - (down.unsqueeze(2) - pixel).abs()).clamp(min=0.0)
    kernel = torch.einsum("nti,ntj->nij", rows, columns) / _STEPS
    return quantise(convolve(x, on_device_of(kernel, x)))


def defocus(x: Tensor, generator: torch.Generator, *, radius: Tensor) -> Tensor:
    """Out-of-focus blur: a disc of ``radius`` pixels, its edge anti-aliased (geometrical optics: the image of a point
    behind a round aperture; Gonzalez and Woods, section 5.6). Reflected border, rounded to 8 bits; ``radius=0`` changes
    nothing.
    """
    reach = int(float(radius.max()) + 1)
    offset = torch.arange(-reach, reach + 1, dtype=torch.float32)
    distance = (offset.square() + offset.square().view(-1, 1)).sqrt()
    # Below half a pixel the disc shrinks inside its pixel and only the neighbours' share matters.
    kernel = (radius.view(-1, 1, 1) + 0.5 - distance).clamp(0.0, 1.0)
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    return quantise(convolve(x, on_device_of(kernel, x)))
