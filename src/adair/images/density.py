"""Pixels per millimetre, if a file states them; libvips assumes 72 dpi otherwise, and would write that."""

from __future__ import annotations

import struct

from adair.images.diagnosis import png_chunks
from adair.images.image_file import DEFAULT_DENSITY

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
NO_UNIT = 1
UNKNOWN = 1.0  # what libvips reports for formats without a default of their own


def stated_density(data: bytes, kind: str, density: tuple[float, float]) -> tuple[float, float] | None:
    """Return the density that libvips read from a file of the format ``kind``; None if the file states none."""
    if density == (UNKNOWN, UNKNOWN):
        return None
    if any(abs(value - DEFAULT_DENSITY) > 1e-2 for value in density):
        return density
    if kind == "PNG":
        return density if any(name == b"pHYs" for _, name, _ in png_chunks(data)) else None
    if kind == "JPEG":
        return density if data[6:11] == b"JFIF\0" and data[13:14] != b"\0" else None
    return density


def with_density(encoded: bytes, kind: str, density: tuple[float, float] | None, exif: bool) -> bytes:
    """Correct the density in a file that libvips has written, or remove it.

    Args:
        encoded: the file, written with ``density``, or with `DEFAULT_DENSITY` if that is None.
        kind: its format.
        density: what it should state; None for nothing outside its EXIF.
        exif: whether it has an EXIF block, which then states the density.
    """
    if kind == "JPEG" and density is not None and not exif:  # libvips writes it only to EXIF
        per_inch = [min(max(round(value * 25.4), 1), 65535) for value in density]
        return encoded[:2] + struct.pack(">HH5sHBHHBB", 0xFFE0, 16, b"JFIF\0", 0x0102, 1, *per_inch, 0, 0) + encoded[2:]
    if kind == "PNG" and density is None:
        for place, name, length in png_chunks(encoded):
            if name == b"pHYs":
                return encoded[:place] + encoded[place + 12 + length :]
    if kind == "TIFF" and density is None and encoded[:4] == b"II*\0":
        return _tiff_without(encoded)
    return encoded


def _tiff_without(encoded: bytes) -> bytes:
    """Set the unit to "none" and the ratio to 1, because TIFF requires the entries."""
    out = bytearray(encoded)
    (start,) = struct.unpack_from("<I", out, 4)
    (count,) = struct.unpack_from("<H", out, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, _, value = struct.unpack_from("<HHII", out, entry)
        if tag == RESOLUTION_UNIT:
            struct.pack_into("<H", out, entry + 8, NO_UNIT)
        elif tag in (X_RESOLUTION, Y_RESOLUTION):
            struct.pack_into("<II", out, value, 1, 1)
    return bytes(out)
