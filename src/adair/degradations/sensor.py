"""Sensor noise: photon counting, and a camera's whole pipeline."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.degradations.noise import column, keep_or_clip
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

_GAMMA = 2.2


def poisson(x: Tensor, generator: torch.Generator, *, peak: Tensor, clip: Tensor) -> Tensor:
    """Shot noise: y = k / peak, k ~ Poisson(peak x): ``peak`` photons arrive where the image is white.

    ``clip`` as for ``noise``. (Foi et al. 2008, IEEE TIP 17(10), section II.)
    """
    scale = column(peak, x)
    return keep_or_clip(torch.poisson(x.clamp(min=0.0) * scale, generator) / scale, clip)


def camera(
    x: Tensor, generator: torch.Generator, *, shot: Tensor, read: Tensor, red: Tensor, blue: Tensor, mosaic: Tensor
) -> Tensor:
    """Noise of a camera: Poisson-Gaussian on the linear sensor values, then what the camera's software makes of it.

    The image is taken back to the sensor (power 2.2, divided by the white-balance gains ``red`` and ``blue``), receives
    noise of variance ``shot * value + read^2``, and comes forward again; the result is rounded to 8 bits. With
    ``mosaic`` each pixel measured only one colour (Bayer, RGGB) and the noise of the others is interpolated from its
    neighbours, which makes it blotchy. Only the noise passes through the interpolation, so the image stays as sharp as
    it was and ``shot=0, read=0`` changes nothing. Noise model and ranges: Brooks et al. 2019 (arXiv 1811.11127, section
    3); gray images have neither gains nor mosaic.
    """
    gains = torch.ones(len(x), x.shape[1])
    if x.shape[1] == 3:
        gains = torch.stack([red, torch.ones_like(red), blue], dim=1)
    gain = on_device_of(gains, x)[:, :, None, None]
    sensor = x.clamp(0.0, 1.0).pow(_GAMMA) / gain
    spread = (column(shot, x) * sensor + column(read, x).square()).sqrt()
    error = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype) * spread
    if x.shape[1] == 3 and bool(mosaic.any()):
        error = torch.where(column(mosaic, x) > 0, _through_mosaic(error), error)
    return quantise(((sensor + error) * gain).clamp(0.0, 1.0).pow(1 / _GAMMA))


def _through_mosaic(x: Tensor) -> Tensor:
    """Keep the one colour that each pixel of an RGGB mosaic measures; interpolate the others bilinearly."""
    height, wide = x.shape[2:]
    odd_row = torch.arange(height, device=x.device).remainder(2).view(-1, 1)
    odd_col = torch.arange(wide, device=x.device).remainder(2)
    red, blue = (1 - odd_row) * (1 - odd_col), odd_row * odd_col
    measured = torch.stack([red, 1 - red - blue, blue]).to(x.dtype)
    # Where a colour was not measured, its measured neighbours in the 3x3 window, nearer ones twice as heavy.
    total, weight = _window(x * measured), _window(measured.unsqueeze(0))
    # An image one pixel high or wide has colours that no pixel measured at all; their noise stays as it was.
    filled = torch.where(weight > 0, total / weight.clamp(min=1.0), x)
    return torch.where(measured > 0, x, filled)


def _window(x: Tensor) -> Tensor:
    """Sum over the 3x3 window with weights 1 2 1 in both directions, nothing beyond the border."""
    x = torch.nn.functional.pad(x, (1, 1, 1, 1))
    x = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    return x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
