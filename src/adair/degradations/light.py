"""Too little light, and air that is not clear; too few levels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from adair.degradations.noise import column
from adair.metrics import quantise


def lowlight(x: Tensor, generator: torch.Generator, *, exposure: Tensor) -> Tensor:
    """An underexposed photo: y = (exposure * x^2.2)^(1/2.2), that is, less light on a linear sensor; rounded to 8 bits.

    Write ``lowlight > camera`` for the noise that comes with it (Wei et al. 2020, arXiv 2003.12751, section 3).
    ``exposure=1`` changes nothing.
    """
    # Clamped first: the power of a negative value is NaN.
    return quantise(x.clamp(0.0, 1.0) * column(exposure.pow(1 / 2.2), x))


def haze(x: Tensor, generator: torch.Generator, *, thickness: Tensor, airlight: Tensor, unevenness: Tensor) -> Tensor:
    """Haze: y = x t + airlight (1 - t), t = exp(-thickness * d) (Koschmieder 1924; He et al. 2009, CVPR, section 2).

    The distance d of the scene is drawn, as a photo does not tell: 1 on average, falling from top to bottom, with
    smooth random hills; ``unevenness`` 0 makes it the same everywhere. Rounded to 8 bits; ``thickness=0`` changes
    nothing.
    """
    n, _, height, wide = x.shape
    hills = 2 * torch.rand(n, 1, 4, 4, generator=generator, device=x.device, dtype=x.dtype) - 1
    hills = F.interpolate(hills, size=(height, wide), mode="bicubic", align_corners=False)
    slope = 1 - 2 * (torch.arange(height, device=x.device, dtype=x.dtype).view(1, 1, -1, 1) + 0.5) / height
    distance = (1 + column(unevenness, x) * (0.6 * slope + 0.4 * hills)).clamp(min=0.0)
    clear = torch.exp(-column(thickness, x) * distance)
    return quantise(x * clear + column(airlight, x) * (1 - clear))


def banding(x: Tensor, generator: torch.Generator, *, levels: Tensor) -> Tensor:
    """False contours: every channel rounded to ``levels`` evenly spaced values, then to 8 bits; 256 changes nothing.

    Uniform quantisation (Gonzalez and Woods, "Digital image processing", section 2.4).
    """
    steps = column(levels - 1, x)
    return quantise((x.clamp(0.0, 1.0) * steps).round() / steps)
