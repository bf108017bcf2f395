"""Mixing the network's result with the user's image: by strength, luma and colour, and a mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adair.restore.options import RestoreOptions
from adair.restore.region import region

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601: how JPEG weighs red, green and blue


@dataclass(frozen=True)
class Mix:
    """Mixes the result of the last step with the user's image.

    Attributes:
        pixels: the user's image as it is stored.
        scale: how many times larger the result is.
        options: how much of the change is applied, to what and where.
    """

    pixels: npt.NDArray[Any]
    scale: int
    options: RestoreOptions

    def apply(self, top: int, lines: Tensor) -> Tensor:
        """Mix lines (1 or 3, h, width) of the result, starting at ``top``, with those of the image; in 0..1."""
        options = self.options
        before = self._before(top, lines.shape[1])
        if len(lines) == 1:
            lines = before.lerp(lines, options.luma)
        elif options.luma != 1 or options.colour != 1:
            change = lines - before
            brighter = torch.einsum("chw,c->hw", change, torch.tensor(LUMA))  # the same in red, green and blue
            lines = before + options.colour * (change - brighter) + options.luma * brighter
        if options.mask is None:
            return before.lerp(lines, options.strength).clamp_(0, 1)
        weights = torch.from_numpy(options.mask.rows(top, top + lines.shape[1], self.scale)) * options.strength
        return before.lerp(lines, weights.expand_as(before)).clamp_(0, 1)

    def keep(self, top: int, target: npt.NDArray[Any]) -> None:
        """Copy the pixels that the mask protects back into finished lines, so that rounding cannot change them."""
        if (
            self.options.mask is None or self.scale > 1
        ):  # the bicubic enlargement is the same with and without a network
            return
        protected = self.options.mask.weights[top : top + len(target)] == 0
        np.copyto(target, self.pixels[top : top + len(target)], where=protected[..., None])

    def _before(self, top: int, height: int) -> Tensor:
        box = (top, 0, top + height, self.pixels.shape[1] * self.scale)
        return region(self.pixels, self.scale, box, torch.device("cpu"))[0]
