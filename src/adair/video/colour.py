"""Conversion between the Y'CbCr of video and the RGB of networks.

Only the correction is converted back: unchanged pixels stay bit-identical, and so do values outside RGB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Planes = tuple[Array, ...]
"""Stored Y', Cb and Cr, or Y' alone: (H, W) each, chroma smaller if it is subsampled."""

WHITE = 65535.0  # of the RGB for restoring, 16 bits
# Weights of red and blue in Y' by the number of the matrix in ITU-T H.273 (MatrixCoefficients).
BT709, UNKNOWN, BT601 = 1, 2, 6
WEIGHTS = {BT709: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), BT601: (0.299, 0.114)}
WEIGHTS |= {7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
FULL = 2  # FFmpeg's number for samples that use all levels
HD = 720  # lines from which players assume BT.709 if a file does not say


@dataclass(frozen=True)
class Layout:
    """How pixels are stored.

    Attributes:
        name: FFmpeg's name of the pixel format.
        bits: bits per sample; more than 8 are stored in 16.
        across, down: number of pixels that share a chroma sample; 0 for gray.
    """

    name: str
    bits: int
    across: int
    down: int

    @property
    def dtype(self) -> npt.DTypeLike:
        """Type of stored samples."""
        return np.uint8 if self.bits == 8 else np.uint16

    def holds(self, other: Layout) -> bool:
        """Whether this layout can store ``other`` without loss."""
        finer = self.across > 0 and self.across <= other.across and self.down <= other.down
        return self.bits >= other.bits and (other.across == 0 or finer)


LAYOUTS = tuple(
    Layout(name + ("" if bits == 8 else f"{bits}le"), bits, across, down)
    for bits in (8, 10, 12)
    for name, across, down in (("gray", 0, 0), ("yuv420p", 2, 2), ("yuv422p", 2, 1), ("yuv444p", 1, 1))
)
"""The smallest first."""


@dataclass(frozen=True)
class Colour:
    """The meaning of a video's samples.

    Attributes:
        layout: how they are stored.
        matrix: number of the matrix in H.273; unknown ones are taken for BT.709 or, in small frames, BT.601.
        full: whether samples use all levels.
        height: lines of a frame.
    """

    layout: Layout
    matrix: int
    full: bool
    height: int
    _weights: tuple[float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        usual = WEIGHTS[BT709 if self.height >= HD else BT601]
        object.__setattr__(self, "_weights", WEIGHTS.get(self.matrix, usual))

    def to_rgb(self, planes: Planes) -> npt.NDArray[np.uint16]:
        """Return RGB, or gray, (H, W, 3 or 1) of 16 bits; what lies outside it is clipped."""
        (black, luma), (grey, chroma) = self._levels()
        y = (planes[0].astype(np.float32) - black) / luma
        if len(planes) == 1:
            return _stored(y[..., None])
        red, blue = self._weights
        cb, cr = ((self._enlarged(plane, y.shape) - grey) / chroma for plane in planes[1:])
        r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
        return _stored(np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], -1))

    def from_rgb(self, rgb: npt.NDArray[np.uint16]) -> Planes:
        """Return RGB, or gray, in stored levels."""
        (black, _), (grey, _) = self._levels()
        starts = (black, grey, grey)
        return tuple(self._rounded(part + start) for part, start in zip(self._parts(_float(rgb)), starts, strict=False))

    def corrected(self, planes: Planes, given: npt.NDArray[np.uint16], restored: npt.NDArray[np.uint16]) -> Planes:
        """Return ``planes`` with the change from ``given``, the result of `to_rgb`, to ``restored`` applied."""
        change = self._parts(_float(restored) - _float(given))
        return tuple(self._rounded(plane + part) for plane, part in zip(planes, change, strict=True))

    def _parts(self, rgb: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """Return Y', Cb and Cr of RGB in 0..1, or of differences, in stored levels around zero; chroma subsampled."""
        (_, luma), (_, chroma) = self._levels()
        if rgb.shape[2] == 1:
            return [rgb[..., 0] * luma]
        red, blue = self._weights
        r, g, b = np.moveaxis(rgb, 2, 0)
        y = red * r + (1 - red - blue) * g + blue * b
        return [
            y * luma,
            self._reduced((b - y) * (chroma / (2 * (1 - blue)))),
            self._reduced((r - y) * (chroma / (2 * (1 - red)))),
        ]

    def _levels(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return level of black and distance to white, and level of grey and span of chroma (H.273, section 8.3)."""
        unit = 2.0 ** (self.layout.bits - 8)
        if self.full:
            return (0.0, 256 * unit - 1), (128 * unit, 256 * unit - 1)
        return (16 * unit, 219 * unit), (128 * unit, 224 * unit)

    def _rounded(self, plane: Array) -> Array:
        return np.rint(plane).clip(0, 2**self.layout.bits - 1).astype(self.layout.dtype)

    def _enlarged(self, plane: Array, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Return chroma for every pixel. Samples are between two lines, on every other column (MPEG-2 and H.264)."""
        chroma = plane.astype(np.float32)
        if self.layout.down == 2:
            before, after = np.vstack([chroma[:1], chroma[:-1]]), np.vstack([chroma[1:], chroma[-1:]])
            lines = np.stack([0.75 * chroma + 0.25 * before, 0.75 * chroma + 0.25 * after], 1)
            chroma = lines.reshape(-1, chroma.shape[1])
        if self.layout.across == 2:
            after = np.hstack([chroma[:, 1:], chroma[:, -1:]])
            chroma = np.stack([chroma, 0.5 * (chroma + after)], 2).reshape(len(chroma), -1)
        return chroma[: shape[0], : shape[1]]

    def _reduced(self, chroma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return chroma at the sample positions: the mean of two lines, weighted 1/4, 1/2, 1/4 over three columns."""
        if self.layout.down == 2:
            chroma = np.vstack([chroma, chroma[-1:]]) if len(chroma) % 2 else chroma
            chroma = 0.5 * (chroma[0::2] + chroma[1::2])
        if self.layout.across == 2:
            chroma = np.hstack([chroma, chroma[:, -1:]]) if chroma.shape[1] % 2 else chroma
            even, odd = chroma[:, 0::2], chroma[:, 1::2]
            chroma = 0.5 * even + 0.25 * (odd + np.hstack([even[:, :1], odd[:, :-1]]))
        return chroma


def _float(rgb: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    return rgb.astype(np.float32) / np.float32(WHITE)


def _stored(rgb: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    return np.rint(rgb * WHITE).clip(0, WHITE).astype(np.uint16)
