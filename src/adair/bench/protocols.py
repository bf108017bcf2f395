"""Scoring restored images. The text of a `Score` describes exactly what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from adair.metrics import luma, psnr, ssim

_WINDOW = 11  # side of the window of SSIM


@dataclass(frozen=True)
class Score:
    """PSNR and SSIM of one kind of pixel.

    Attributes:
        colour: "RGB"; "Y", MATLAB's luma of RGB, not rounded; or "gray" for images that have one channel.
        border: pixels left out on each side.
    """

    colour: Literal["RGB", "Y", "gray"]
    border: int = 0

    def __str__(self) -> str:
        pixels = {"RGB": "RGB", "Y": "MATLAB's Y", "gray": "gray"}[self.colour]
        return f"PSNR and SSIM on {pixels}" + (f", border of {self.border} left out" if self.border else "")

    def fits(self, clean: Tensor) -> bool:
        """Whether the border leaves anything of an image (1, C, H, W)."""
        return self._inner(clean) > 0

    def fits_ssim(self, clean: Tensor) -> bool:
        """Whether the window of SSIM fits into an image (1, C, H, W)."""
        return self._inner(clean) >= _WINDOW

    def psnr(self, image: Tensor, clean: Tensor) -> float:
        """Return PSNR in dB of an image (1, 3, H, W); ``clean`` has its shape, or one channel for "gray"."""
        return float(psnr(*self._pixels(image, clean), self.border))

    def ssim(self, image: Tensor, clean: Tensor) -> float | None:
        """Return SSIM of the same pixels; None if its window does not fit."""
        return float(ssim(*self._pixels(image, clean), self.border)) if self.fits_ssim(clean) else None

    def _pixels(self, image: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        if self.colour == "Y":
            return luma(image), luma(clean)
        return (image.mean(dim=1, keepdim=True) if self.colour == "gray" else image), clean

    def _inner(self, clean: Tensor) -> int:
        return min(clean.shape[-2:]) - 2 * self.border
