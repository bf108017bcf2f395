"""Rain drawn as streaks, light to heavy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.linear import fast_length
from adair.degradations.noise import column
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

_AIRLIGHT = 0.8  # gray of the veil
_FAR = (0.6, 0.5, 0.6, 0.55)  # amount, length, width and brightness of the far streaks relative to the near ones


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
    blend: Tensor,
) -> Tensor:
    """Rain streaks over a veil: y = v + s (``blend=add``) or 1 - (1 - v)(1 - s) (``screen``), v = (1 - haze) x + haze
    a.

    s is a sum of streaks: sparse random seeds of random strength, convolved with an anti-aliased line of the sample's
    ``angle`` (degrees from upright), ``length`` and ``width`` (pixels). ``amount`` is about the share of the image that
    streaks cover, ``brightness`` the strength of the strongest streak. A second layer, denser, finer, shorter, fainter
    and leaning a little otherwise, is the rain farther away. Streak layers plus airlight a follow Yang et al. 2017
    (CVPR, "Deep joint rain detection and removal", section 3). Rounded to 8 bits; ``amount=0, haze=0`` changes nothing.
    """
    _, _, height, wide = x.shape
    near = torch.stack([length, width, angle])
    lean = angle + 5 * torch.sin(angle * 12.9898)  # within 5 degrees, the same for equal settings
    far = torch.stack([(_FAR[1] * length).clamp(min=2.0), (_FAR[2] * width).clamp(min=0.5), lean])
    reach = int((0.58 * length.max() + width.max()).ceil()) + 1
    # The transform wraps around, so a streak may leave at the bottom and enter at the top; rain looks the same
    # anywhere, and the gap of `reach` keeps most streaks from being seen twice.
    size = tuple(fast_length(max(side + reach, 2 * reach + 1)) for side in (height, wide))

    def seeds(drawn: Tensor, layer: Tensor, share: Tensor) -> Tensor:
        """Strengths at the few places where ``drawn``, uniform in 0..1, is small; one streak covers length * width."""
        density = column(share / (layer[0] * layer[1].clamp(min=1.0)), x).squeeze(1).clamp(1e-12, 0.5)
        return (1.0 - 0.7 * drawn / density).mul_(drawn < density)

    drawn = torch.rand(len(x), *size, generator=generator, device=x.device)
    spectrum = torch.zeros((), device=x.device)
    for layer, share, strength, places in (
        (near, amount, brightness, drawn),
        (far, _FAR[0] * amount, _FAR[3] * brightness, 1.0 - drawn),  # the other end: no place seeds both layers
    ):
        kernel = _streak(on_device_of(layer, x), reach) * column(strength, x).squeeze(1)
        spectrum = spectrum + torch.fft.rfft2(seeds(places, layer, share)) * torch.fft.rfft2(kernel, s=size)
    streaks = torch.fft.irfft2(spectrum, s=size)[:, None, :height, :wide].clamp(0.0, 1.0)
    veil = column(haze, x)
    veiled = x + veil * (_AIRLIGHT - x)
    return quantise(veiled + streaks * torch.where(column(blend, x) > 0, 1 - veiled.clamp(0.0, 1.0), 1.0))


def _streak(layer: Tensor, reach: int) -> Tensor:
    """Lines (N, 2 * reach + 1, 2 * reach + 1), peak 1: a soft bump across, level with soft ends along.

    Args:
        layer: (3, N), lengths, widths and angles.
    """
    length, width, angle = layer.view(3, -1, 1, 1)
    angle = angle * (math.pi / 180)
    place = torch.arange(-reach, reach + 1, device=length.device, dtype=length.dtype)
    along = place.view(1, -1, 1) * torch.cos(angle) + place * torch.sin(angle)
    across = place * torch.cos(angle) - place.view(1, -1, 1) * torch.sin(angle)
    ends = ((length / 2 - along.abs()) / (0.15 * length + 1.0) + 0.5).clamp_(0.0, 1.0)
    # Half as high where the bump is `width` wide.
    bump = (1 - (across / (0.92 * width).clamp(min=1.0)).square()).clamp_(min=0.0).square()
    streak: Tensor = ends * bump
    return streak
