"""Additive Gaussian noise, unclipped as in papers or clipped as in files."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.degradations.transfer import on_device_of
from adair.metrics import quantise


def column(values: Tensor, like: Tensor) -> Tensor:
    """Return per-sample CPU values (N,) as (N, 1, 1, 1) on the device of ``like``."""
    return on_device_of(values.to(like.dtype), like).view(-1, 1, 1, 1)


def noise(x: Tensor, generator: torch.Generator, *, sigma: Tensor, clip: Tensor) -> Tensor:
    """White Gaussian noise: y = x + sigma / 255 * n, n ~ N(0, 1) for every value.

    With ``clip`` y is clamped and rounded to 8 bits, which is what an image file holds; without, y is the real-valued
    noise of the denoising literature (Zhang et al. 2017, DnCNN, section IV-A) and may leave 0..1.
    """
    noisy = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    noisy.mul_(column(sigma / 255.0, x)).add_(x)
    return keep_or_clip(noisy, clip)


def keep_or_clip(noisy: Tensor, clip: Tensor) -> Tensor:
    """Round the samples with ``clip`` (N,) to 8 bits, and leave the others unchanged."""
    if not bool(clip.any()):
        return noisy
    return quantise(noisy) if bool(clip.all()) else torch.where(column(clip, noisy) > 0, quantise(noisy), noisy)
