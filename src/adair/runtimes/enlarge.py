"""Steps of a graph besides networks: bicubic enlargement before super-resolution, and clamping between networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.degradations import resize

REACH = 2  # pixels to either side that a cubic looks at


class Enlarge(nn.Module):
    """Enlarge (N, 3, H, W) a whole number of times, exactly as `adair.degradations.resize` does, clamped to 0..1.

    With a whole factor every output pixel is one of ``scale * scale`` fixed sums over 5x5 input pixels, so the
    enlargement is one convolution and a shuffle, which every runtime has.

    Args:
        scale: 2 or more.
    """

    weight: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        side = 2 * REACH + 1
        # The response to a single bright pixel holds every weight; it is read off where the pixel is the middle one.
        impulses = torch.eye(side * side).view(-1, 1, side, side)
        spread = F.pad(impulses, (REACH,) * 4)
        size = (side + 2 * REACH) * scale
        grown = resize(spread, (size, size), scale)
        middle = slice(2 * REACH * scale, (2 * REACH + 1) * scale)
        taps = grown[:, 0, middle, middle]  # (which input pixel, row within, column within)
        kernel = taps.permute(1, 2, 0).reshape(scale * scale, 1, side, side)
        self.register_buffer("weight", kernel.repeat(3, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 3, scale * H, scale * W)."""
        x = F.pad(x, (REACH,) * 4, mode="replicate")
        return F.pixel_shuffle(F.conv2d(x, self.weight, groups=3), self.scale).clamp(0, 1)


class Clamp(nn.Module):
    """Values limited to 0..1, as an image between two networks is."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)
