"""Floating-point pixels: scene-linear light gets the curve of sRGB for the network and loses it again.

A colour profile says whether values are linear; without one they are taken as linear, as programs that write such files
do. Highlights above 1 stay: the network restores what a screen shows, and what lies above goes back on top of it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adair.errors import InputError
from adair.images import scratch
from adair.images.image_file import Stored, convert_depth
from adair.images.limits import Limits

Floats = npt.NDArray[np.float32]
DARKEST = -1.0  # noise that nobody clipped stays above
MOST_ABOVE = 0.5  # part of the values that may lie above 1 where 1 is white


def is_linear(icc: bytes | None) -> bool:
    """Whether values are proportional to light, by the profile's curve for red or gray; True without a profile."""
    if icc is None:
        return True
    if len(icc) < 132:
        return False
    (count,) = struct.unpack_from(">I", icc, 128)
    for number in range(min(count, (len(icc) - 132) // 12)):
        name, place, size = struct.unpack_from(">4sII", icc, 132 + 12 * number)
        if name in (b"rTRC", b"kTRC"):
            curve = icc[place : place + size]
            if curve[:4] == b"para":  # a power, with exponent 1
                return curve[8:10] == bytes(2) and curve[12:16] == b"\0\1\0\0"
            return curve[8:12] == bytes(4) or curve[8:14] == b"\0\0\0\1\1\0"  # no points, or the exponent 1
    return False


def to_display(pixels: Floats, icc: bytes | None, limits: Limits) -> tuple[Stored, list[str]]:
    """Turn values of a file into what the network is used to, in place: the curve of sRGB, at most 1.

    Returns:
        What `to_file` needs, and what a user should know.

    Raises:
        InputError: numbers that are not finite, or most of them above 1.
    """
    linear = is_linear(icc)
    above: Floats | None = None
    many = 0
    for top in range(0, len(pixels), scratch.LINES):
        part = pixels[top : top + scratch.LINES]
        low, high = float(part.min()), float(part.max())
        if not np.isfinite([low, high]).all():
            raise InputError(f"{limits.path}: holds numbers that are not finite (NaN or infinity); replace them")
        if low < DARKEST:
            raise InputError(f"{limits.path}: holds values down to {low:.4g}, and 0 is black; bring them to 0..1")
        if high > 1:
            if above is None:
                above = scratch.empty(pixels.shape, np.float32, limits.scratch)
                above[:top] = 0
            many += int((part > 1).sum())
        if above is not None:
            np.maximum(part - 1, 0, out=above[top : top + scratch.LINES])
            np.minimum(part, 1, out=part)
        if linear:
            part[:] = _curve(part)
        scratch.release(pixels)
        scratch.release(above)
    if many > MOST_ABOVE * pixels.size:
        raise InputError(
            f"{limits.path}: {many / pixels.size:.0%} of its floating-point values are above 1, which is white; divide "
            "them by the value of white (255 for 8 bits)"
        )
    notes = ["floating point without a colour profile: taken as linear light"] if icc is None else []
    if many:
        notes.append(f"{max(many / pixels.size, 0.001):.1%} of the values are above 1: kept, the rest is restored")
    return Stored("float", icc, linear, above), notes


def to_file(pixels: npt.NDArray[Any], stored: Stored, folder: Path | None) -> npt.NDArray[Any]:
    """Return restored pixels as the file's values; those above 1 come back, enlarged where the image was."""
    straight = _straight if stored.linear else np.asarray
    if stored.above is None:
        return scratch.by_lines(straight, np.float32, folder, pixels)
    above = _fitted(stored.above, *pixels.shape[:2])
    return scratch.by_lines(lambda part, more: straight(part) + more, np.float32, folder, pixels, above)


def to_integers(pixels: npt.NDArray[Any], straight: bool, folder: Path | None) -> npt.NDArray[Any]:
    """Return restored pixels with 16 bits: as a screen shows them, or ``straight``, as a linear profile wants them."""
    values = scratch.by_lines(_straight, np.float32, folder, pixels) if straight else pixels
    return convert_depth(values, np.uint16, folder)


def _curve(x: Floats) -> Floats:
    """IEC 61966-2-1, for negative values mirrored."""
    size = np.abs(x)
    curved = np.where(size <= 0.0031308, 12.92 * size, 1.055 * np.maximum(size, 1e-9) ** (1 / 2.4) - 0.055)
    return np.copysign(curved, x).astype(np.float32)


def _straight(x: Floats) -> Floats:
    size = np.abs(x)
    light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(light, x).astype(np.float32)


def _fitted(above: Floats, height: int, width: int) -> Floats:
    if above.shape[:2] == (height, width):
        return above
    import pyvips

    image: Any = pyvips.Image.new_from_array(above)
    larger = image.resize(width / image.width, vscale=height / image.height, kernel="cubic")
    result: Floats = np.maximum(np.atleast_3d(larger.numpy()), 0)
    return result
