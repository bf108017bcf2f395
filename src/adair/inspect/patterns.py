"""Straight lines, lattices, letters and fur: texture that must not be taken for damage, drawn on clean patches.

Wires look like rain, fabric and hair like noise, letters like sharpened edges; photos for training have few of them.
"""

from __future__ import annotations

import math
import string

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


def draw_patterns(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw one pattern on each image.

    Args:
        x: (N, 3, H, W) in 0..1.
        generator: on the CPU.

    Returns:
        The images, and zeros (N,): the level of a damage that is none.
    """
    makers = (_wires, _stripes, _lattice, _letters, _fur)
    chosen = torch.randint(len(makers), (len(x),), generator=generator).tolist()
    height, width = x.shape[-2:]
    masks = torch.stack([makers[index](height, width, generator) for index in chosen]).unsqueeze(1)
    colour = torch.rand((len(x), 3, 1, 1), generator=generator)
    gray = torch.rand((len(x), 1, 1, 1), generator=generator)
    colour = torch.where(torch.rand((len(x), 1, 1, 1), generator=generator) < 0.6, gray, colour)
    opacity = 0.2 + 0.8 * torch.rand((len(x), 1, 1, 1), generator=generator)
    return x + opacity * masks * (colour - x), torch.zeros(len(x))


def _draw(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(1, generator=generator))


def _along(height: int, width: int, angle: float) -> Tensor:
    """Distance of each pixel from the line through the corner that runs at ``angle`` (radians)."""
    rows, columns = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return columns * math.sin(angle) - rows * math.cos(angle)


def _wires(height: int, width: int, generator: torch.Generator) -> Tensor:
    """One to five lines from border to border, one to three pixels wide, with smooth edges."""
    mask = torch.zeros(height, width)
    for _ in range(int(_draw(generator, 1, 6))):
        distance = _along(height, width, _draw(generator, 0, math.pi))
        distance = distance - distance.flatten()[int(_draw(generator, 0, distance.numel() - 1))]
        mask = torch.maximum(mask, (_draw(generator, 1, 3) / 2 + 0.5 - distance.abs()).clamp(0, 1))
    return mask


def _stripes(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Equal stripes of 3 to 24 pixels, such as facades, blinds and fences, with edges hard or soft."""
    wave = torch.sin(2 * math.pi / _draw(generator, 3, 24) * _along(height, width, _draw(generator, 0, math.pi)))
    return (0.5 + _draw(generator, 0.5, 4) * (wave - _draw(generator, -0.6, 0.6))).clamp(0, 1)


def _lattice(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Two sets of stripes across each other: windows, fabric, halftone."""
    angle, period = _draw(generator, 0, math.pi), _draw(generator, 3, 16)
    one = torch.sin(2 * math.pi / period * _along(height, width, angle))
    other = torch.sin(2 * math.pi / (period * _draw(generator, 0.7, 1.4)) * _along(height, width, angle + math.pi / 2))
    return (0.5 + _draw(generator, 0.5, 4) * one * other).clamp(0, 1)


def _letters(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Lines of random letters, 8 to 28 pixels high."""
    size = int(_draw(generator, 8, 28))
    page = Image.new("L", (width, height))
    letters = string.ascii_letters + string.digits + "    .,"
    for top in range(0, height, int(1.3 * size)):
        line = "".join(letters[i] for i in torch.randint(len(letters), (2 * width // size,), generator=generator))
        ImageDraw.Draw(page).text((_draw(generator, -size, 0), top), line, fill=255, font=ImageFont.load_default(size))
    return torch.from_numpy(np.asarray(page, np.float32) / 255)


def _fur(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Strands side by side, one or two pixels wide, that bend slowly: hair, fur and grass.

    They are noise averaged along the lines of a smooth field (line integral convolution; Cabral and Leedom, 1993).
    """
    grain, contrast = _draw(generator, 1, 2), _draw(generator, 0.15, 0.35)
    noise = torch.rand((1, 1, math.ceil(height / grain), math.ceil(width / grain)), generator=generator)
    noise = F.interpolate(noise, (height, width), mode="bilinear")
    turns = torch.rand((1, 1, 4, 4), generator=generator) - 0.5
    turns = F.interpolate(turns, (height, width), mode="bicubic", align_corners=True)
    angle = _draw(generator, 0, math.pi) + _draw(generator, 0, math.pi) * turns
    step = torch.cat([angle.cos() * 2 / width, angle.sin() * 2 / height], 1)  # a pixel, in grid_sample's units
    start = F.affine_grid(torch.eye(2, 3)[None], [1, 1, height, width], align_corners=False)
    sums = torch.zeros_like(noise)
    for sign in (1, -1):
        at = start
        for _ in range(int(_draw(generator, 6, 20))):
            sums += F.grid_sample(noise, at, padding_mode="reflection", align_corners=False)
            at = at + sign * F.grid_sample(step, at, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)
    return (0.5 + contrast * (sums - sums.mean()) / sums.std())[0, 0].clamp(0, 1)
