"""Pixels that are lost: salt and pepper, scratches, holes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.noise import column
from adair.metrics import quantise


def impulse(x: Tensor, generator: torch.Generator, *, amount: Tensor, salt: Tensor) -> Tensor:
    """Salt and pepper: a share ``amount`` of the pixels is lost, of these a share ``salt`` is white, the rest black.

    Rounded to 8 bits; ``amount=0`` changes nothing. (Gonzalez and Woods, "Digital image processing", section 5.2.)
    """
    n, _, height, wide = x.shape
    drawn = torch.rand(n, 1, height, wide, generator=generator, device=x.device, dtype=x.dtype)
    lost, white = column(amount, x), column(amount * salt, x)
    return quantise(torch.where(drawn < lost, (drawn < white).to(x.dtype), x))


def scratches(
    x: Tensor, generator: torch.Generator, *, count: Tensor, width: Tensor, tilt: Tensor, strength: Tensor
) -> Tensor:
    """Scratches of old film: ``count`` thin wavy lines, y = (1 - s) x + s c, each dark (c = 0.05) or light (0.95).

    A line runs up to ``tilt`` degrees off the upright over part of the height, ``width`` pixels wide with soft edges; s
    is at most ``strength`` and comes and goes along it. Rounded to 8 bits; ``count=0`` changes nothing. The line model
    is that of film restoration (Kokaram 1998, "Motion picture restoration", section 7), drawn in our own way.
    """
    n, _, height, wide = x.shape
    row = _centred(height, x).view(-1, 1)
    col = _centred(wide, x)
    most = int(count.max())
    draw = _Draws(n, most, x, generator)
    thick, lean, deep = (column(v, x) for v in (width, tilt * (math.pi / 180), strength))
    half = 0.5 * max(height, wide)
    for each in range(most):
        turn, wave, phase = lean * draw.signed(), 3 * draw.signed(), math.pi * draw.signed()
        u = row * torch.cos(turn) + col * torch.sin(turn)
        v = col * torch.cos(turn) - row * torch.sin(turn)
        away = v - draw.signed() * wide / 2 - wave * torch.sin(u * (6 / half) + phase)
        core = (0.5 * thick + 0.5 - away.abs()).clamp(0.0, 1.0)
        length, middle = half * (0.1 + 0.9 * draw.unsigned()), draw.signed() * height / 2
        fade = (1.5 - (u - middle).abs() / length).clamp(0.0, 1.0) * (0.8 + 0.2 * torch.sin(0.13 * u + 5 * phase))
        colour = torch.where(draw.signed() > 0, 0.95, 0.05)
        cover = core * fade * deep * (column(count, x) > each)
        x = x + cover * (colour - x)
    return quantise(x)


def holes(x: Tensor, generator: torch.Generator, *, count: Tensor, radius: Tensor) -> Tensor:
    """Holes: ``count`` blotches of about ``radius`` pixels, each of one even gray from black to white.

    The edge of a blotch is r (1 + 0.25 sin(2 a + p) + 0.15 sin(5 a + q)) at angle a, r between half and all of
    ``radius``: dirt, mould and missing emulsion, what inpainting has to fill. A model of our own. Rounded to 8 bits;
    ``count=0`` changes nothing.
    """
    n, _, height, wide = x.shape
    most = int(count.max())
    draw = _Draws(n, most, x, generator)
    size = column(radius, x)
    for each in range(most):
        row = _centred(height, x).view(-1, 1) - draw.signed() * height / 2
        col = _centred(wide, x) - draw.signed() * wide / 2
        angle = torch.atan2(row, col)
        edge = 1 + 0.25 * torch.sin(2 * angle + math.pi * draw.signed())
        edge = edge + 0.15 * torch.sin(5 * angle + math.pi * draw.signed())
        edge = edge * size * (0.5 + 0.5 * draw.unsigned())
        cover = (edge - (row.square() + col.square()).sqrt() + 0.5).clamp(0.0, 1.0) * (column(count, x) > each)
        x = x + cover * (draw.unsigned() - x)
    return quantise(x)


class _Draws:
    """One number per sample at a time."""

    def __init__(self, n: int, most: int, like: Tensor, generator: torch.Generator) -> None:
        self.next = 0
        self.table = torch.rand(8 * max(1, most), n, generator=generator, device=like.device, dtype=like.dtype)

    def unsigned(self) -> Tensor:
        """(N, 1, 1, 1) in 0..1."""
        self.next += 1
        return self.table[self.next - 1].view(-1, 1, 1, 1)

    def signed(self) -> Tensor:
        """(N, 1, 1, 1) in -1..1."""
        return 2 * self.unsigned() - 1


def _centred(size: int, like: Tensor) -> Tensor:
    """Pixel positions along a side, zero in the middle."""
    return torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2
