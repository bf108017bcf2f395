"""Where an image may change: white is restored, black stays bit-identical, gray is in between."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adair.errors import InputError
from adair.images import WHITE, ImageFile, read_image


@dataclass(frozen=True, eq=False)
class Mask:
    """How much of the change is applied to each pixel.

    Attributes:
        weights: (H, W), uint8, uint16 or float32 in 0..1; white applies all of it, 0 nothing.
        name: its name in messages.
    """

    weights: npt.NDArray[Any]
    name: str = "mask"

    @classmethod
    def of(cls, value: Mask | str | os.PathLike[str] | npt.NDArray[Any]) -> Mask:
        """Return a mask from an image file, or an array (H, W) or (H, W, C) of uint8, uint16, bool or float in 0..1.

        Colours are averaged; alpha is ignored.

        Raises:
            InputError: a file that cannot be read, or an array of another shape or type.
        """
        if isinstance(value, Mask):
            return value
        if isinstance(value, np.ndarray):
            array = value.astype(np.uint8) * 255 if value.dtype == bool else value
            array = array.astype(np.float32) if array.dtype.kind == "f" else array
            if array.dtype not in WHITE or array.ndim not in (2, 3) or array.size == 0:
                raise InputError(
                    f"a mask of shape {value.shape} and {value.dtype}: give (H, W) of uint8, or float in 0..1"
                )
            if array.dtype.kind == "f" and not (array.min() >= 0 and array.max() <= 1):
                raise InputError("a mask of floats has values outside 0..1; 1 is restored, 0 is left unchanged")
            return cls(_mean(np.atleast_3d(array)))
        image: ImageFile = read_image(value)
        return cls(_mean(image.pixels), os.fspath(value))

    @property
    def digest(self) -> str:
        """A hash of the weights."""
        return hashlib.sha256(
            repr((self.weights.dtype.str, self.weights.shape)).encode() + self.weights.data
        ).hexdigest()

    def check(self, height: int, width: int) -> None:
        """Raise `InputError` unless the mask has the size of an image."""
        if self.weights.shape != (height, width):
            down, across = self.weights.shape
            raise InputError(
                f"{self.name}: is {across}x{down} pixels, the image {width}x{height}; give a mask of the same size"
            )

    def rows(self, top: int, bottom: int, scale: int) -> npt.NDArray[np.float32]:
        """Return the weights, 0 to 1, of lines of an image that is ``scale`` times larger than the mask."""
        part = self.weights[top // scale : -(-bottom // scale)]
        weights = part.astype(np.float32) / np.float32(WHITE[part.dtype])
        if scale > 1:
            start = top // scale * scale
            weights = weights.repeat(scale, axis=0)[top - start : bottom - start].repeat(scale, axis=1)
        return weights


def _mean(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.shape[2] in (2, 4):
        pixels = pixels[..., :-1]
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    mean = pixels.mean(axis=2, dtype=np.float32)
    return np.ascontiguousarray(mean if pixels.dtype.kind == "f" else np.rint(mean).astype(pixels.dtype))
