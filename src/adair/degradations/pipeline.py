"""Traces of a camera's processing: grain smeared by denoising, smoothing, and sharpening halos."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.degradations.blur import gaussian_rows
from adair.degradations.linear import filter_side
from adair.degradations.noise import column
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, full range: how JFIF weighs the colours
_FWHM = 2.3548  # full width at half maximum of a Gaussian, in standard deviations


def grain(
    x: Tensor,
    generator: torch.Generator,
    *,
    sigma: Tensor,
    size: Tensor,
    colour: Tensor,
    blotch: Tensor,
    shadows: Tensor,
) -> Tensor:
    """Correlated noise: y = x + sigma / 255 (1 + shadows (1 - 2 luma(x))) (n_luma + colour n_colour).

    ``n_luma`` is the same in all channels, ``n_colour`` has no luma; both are white Gaussian noise filtered by a
    Gaussian of full width ``size`` and ``blotch`` pixels at half its height (0: white), then brought back to variance 1
    (per channel, before its luma is taken out of ``n_colour``). This is what demosaicking, denoising and scaling in a
    camera make of sensor noise: coarse, coarser and weaker or stronger in colour, strongest in lifted shadows (noise
    statistics of processed photos: Nam et al. 2016, CVPR, "A holistic approach to cross-channel image noise modeling").
    Clamped and rounded to 8 bits; an image that is not RGB has no colour noise.
    """
    spread = column(sigma / 255.0, x) * (1 + column(shadows, x) * (1 - 2 * _luma(x).clamp(0.0, 1.0))).clamp(min=0.0)
    noise = _filtered_noise(x, 1, size, generator)
    if x.shape[1] == 3:
        tint = _filtered_noise(x, 3, blotch, generator)
        noise = noise + column(colour, x) * (tint - _luma(tint))
    return quantise(x + spread * noise)


def smooth(x: Tensor, generator: torch.Generator, *, radius: Tensor, threshold: Tensor, strength: Tensor) -> Tensor:
    """Edge-preserving smoothing, as denoising in a camera: y = x + strength (guided(x) - x).

    ``guided`` is the guided filter of He et al. 2013 (IEEE TPAMI 35(6), equations 5, 6 and 8) with the image's luma as
    its guide, windows of 2 radius + 1 pixels and epsilon = threshold^2: texture of a spread below ``threshold`` is
    flattened, edges stay, and colour that luma does not show is lost. What remains of noise is blotchy. Rounded to
    8 bits; ``strength=0`` changes nothing.
    """
    reach = int(radius.max())
    offset = torch.arange(-reach, reach + 1)
    taps = (offset.abs() <= radius.unsqueeze(1)).to(torch.float32)
    taps = on_device_of(taps / taps.sum(dim=1, keepdim=True), x)

    def mean(values: Tensor) -> Tensor:
        return filter_side(filter_side(values, taps, 3), taps, 2)

    guide = _luma(x)
    guide_mean, x_mean = mean(guide), mean(x)
    variance = (mean(guide * guide) - guide_mean * guide_mean).clamp(min=0.0)
    slope = (mean(guide * x) - guide_mean * x_mean) / (variance + column(threshold, x).square())
    guided = mean(slope) * guide + mean(x_mean - slope * guide_mean)
    return quantise(x + column(strength, x) * (guided - x))


def sharpen(x: Tensor, generator: torch.Generator, *, amount: Tensor, radius: Tensor) -> Tensor:
    """Unsharp masking: y = x + amount (x - G x), G a Gaussian of standard deviation ``radius`` pixels.

    It leaves halos along edges and makes noise and JPEG blocks stronger (Gonzalez and Woods, "Digital image
    processing", section 3.6). Clamped and rounded to 8 bits; ``amount=0`` changes nothing.
    """
    taps = on_device_of(gaussian_rows(radius), x)
    soft = filter_side(filter_side(x, taps, 3), taps, 2)
    return quantise(x + column(amount, x) * (x - soft))


def _luma(x: Tensor) -> Tensor:
    """Luma (N, 1, H, W) of RGB, or the mean of any other number of channels."""
    if x.shape[1] != 3:
        return x.mean(dim=1, keepdim=True)
    weights = torch.tensor(_LUMA, dtype=x.dtype).to(x.device).view(1, 3, 1, 1)
    return (x * weights).sum(dim=1, keepdim=True)


def _filtered_noise(x: Tensor, channels: int, width: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise (N, channels, H, W) of variance 1, correlated over ``width`` (N,) pixels."""
    taps = gaussian_rows(width / _FWHM)
    taps = on_device_of(
        taps / taps.square().sum(dim=1, keepdim=True).sqrt(), x
    )  # independent values keep their variance
    reach = taps.shape[1] // 2
    shape = (x.shape[0], channels, x.shape[2] + 2 * reach, x.shape[3] + 2 * reach)
    noise = torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype)
    for side in (2, 3):
        noise = filter_side(noise, taps, side).narrow(side, reach, x.shape[side])
    return noise
