"""Additive Gaussian noise, as papers measure it and as files hold it."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.degradations.beside import beside
from adair.metrics import quantise


def column(values: Tensor, like: Tensor) -> Tensor:
    """Per-sample CPU values (N,) as (N, 1, 1, 1) beside ``like``."""
    return beside(values.to(like.dtype), like).view(-1, 1, 1, 1)


def noise(x: Tensor, generator: torch.Generator, *, sigma: Tensor, clip: Tensor) -> Tensor:
    """White Gaussian noise: y = x + sigma / 255 * n, n ~ N(0, 1) for every value.

    With ``clip`` y is clamped and rounded to 8 bits, which is what an image file holds; without, y is the real-valued
    noise of the denoising literature (Zhang et al. 2017, DnCNN, section IV-A) and may leave 0..1.
    """
    noisy = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    noisy.mul_(column(sigma / 255.0, x)).add_(x)
    return keep_or_clip(noisy, clip)


def keep_or_clip(noisy: Tensor, clip: Tensor) -> Tensor:
    """The samples with ``clip`` (N,) rounded to 8 bits, the others as they are."""
    if not bool(clip.any()):
        return noisy
    return quantise(noisy) if bool(clip.all()) else torch.where(column(clip, noisy) > 0, quantise(noisy), noisy)
