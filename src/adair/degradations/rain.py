"""Rain drawn as streaks, light to heavy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.noise import column
from adair.metrics import quantise

_MARGIN = 32  # pixels around the image where streaks that reach into it may start


def rain(
    x: Tensor,
    generator: torch.Generator,
    *,
    amount: Tensor,
    angle: Tensor,
    length: Tensor,
    width: Tensor,
    brightness: Tensor,
    haze: Tensor,
) -> Tensor:
    """Rain streaks and a veil: y = 1 - (1 - v) (1 - s), v = (1 - haze) x + haze * 0.8 (screen blending).

    s is a sum of streaks: random seeds of random strength, convolved with an anti-aliased line of the sample's angle
    (degrees from upright), length and width (pixels); ``amount`` is the share of the image that streaks cover,
    ``brightness`` the strength of a full streak. A second layer of finer, shorter and fainter streaks at a nearly equal
    angle stands for the rain farther away. After the rain models of Garg and Nayar (2006, ACM SIGGRAPH) and Yang et al.
    (2017, CVPR, section 3: streak layers plus atmospheric light); the screen keeps highlights from burning out. Rounded
    to 8 bits.
    """
    n, _, h, w = x.shape
    height, width_ = h + 2 * _MARGIN, w + 2 * _MARGIN
    near = _layer(n, height, width_, x.device, generator, amount, angle, length, width, brightness)
    lean = angle + 4.0 * torch.sin(57.0 * angle)  # a little off, the same for equal settings
    far = _layer(
        n, height, width_, x.device, generator, 0.6 * amount, lean, 0.5 * length, 0.6 * width, 0.5 * brightness
    )
    streaks = (near + far)[:, :, _MARGIN : _MARGIN + h, _MARGIN : _MARGIN + w].clamp(0.0, 1.0)
    veil = column(haze, x)
    return quantise(1 - (1 - (x * (1 - veil) + 0.8 * veil)) * (1 - streaks))


def _layer(
    n: int,
    height: int,
    width: int,
    device: torch.device,
    generator: torch.Generator,
    amount: Tensor,
    angle: Tensor,
    length: Tensor,
    thick: Tensor,
    strength: Tensor,
) -> Tensor:
    """One layer of streaks (N, 1, height, width): seeds times line, by FFT (which wraps around; the margin hides it)."""
    amount, angle, length, thick, strength = (
        v.to(device, non_blocking=True).view(-1, 1, 1) for v in (amount, angle, length, thick, strength)
    )
    # One streak covers about length * width pixels, so this many seeds a pixel cover the share `amount`.
    density = (amount / (length * thick.clamp(min=1.0))).clamp(max=0.5)
    seeds = torch.rand(n, height, width, generator=generator, device=device)
    seeds = torch.where(seeds < density, 0.35 + 0.65 * seeds / density.clamp(min=1e-12), 0.0)
    kernel = _line(height, width, angle, length, thick, device) * strength
    size = (height, width)
    drawn = torch.fft.irfft2(torch.fft.rfft2(seeds) * torch.fft.rfft2(kernel), s=size)
    return drawn.unsqueeze(1)


def _line(height: int, width: int, angle: Tensor, length: Tensor, thick: Tensor, device: torch.device) -> Tensor:
    """A line about the origin, wrapped around: Gaussian across, flat with soft ends along; peak 1."""
    row = torch.fft.fftfreq(height, 1 / height, device=device).view(1, -1, 1)
    col = torch.fft.fftfreq(width, 1 / width, device=device).view(1, 1, -1)
    turn = angle * (math.pi / 180)
    along = row * torch.cos(turn) + col * torch.sin(turn)
    across = col * torch.cos(turn) - row * torch.sin(turn)
    profile = torch.exp(-across.square() / (2 * (0.42 * thick).clamp(min=0.35).square()))
    return profile * torch.sigmoid((length / 2 - along.abs()) / (0.06 * length + 0.5))
