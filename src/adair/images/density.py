"""Pixels per millimetre, if a file states them; libvips assumes 72 dpi otherwise, and would write that."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from adair.images.diagnosis import png_chunks
from adair.images.image_file import DEFAULT_DENSITY
from adair.images.scratch import BLOCK, Data
from adair.images.tiff import opened

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
NO_UNIT = 1
HEAD = 2**24  # bytes of a PNG that are searched for it: it precedes the pixels
UNKNOWN = 1.0  # what libvips reports for formats without a default of their own


def stated_density(data: Data, kind: str, density: tuple[float, float]) -> tuple[float, float] | None:
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


def correct_density(file: BinaryIO, kind: str, density: tuple[float, float] | None) -> None:
    """Correct the density in a file that libvips has written, or remove it.

    Args:
        file: the file, open for reading and writing; libvips was given ``density``, or `DEFAULT_DENSITY` in its place.
        kind: its format.
        density: what it should state; None for nothing outside its EXIF.
    """
    if kind == "JPEG" and density is not None:  # libvips writes it only to EXIF
        per_inch = [min(max(round(value * 25.4), 1), 65535) for value in density]
        splice(file, 2, 0, struct.pack(">HH5sHBHHBB", 0xFFE0, 16, b"JFIF\0", 0x0102, 1, *per_inch, 0, 0))
    elif kind == "PNG" and density is None:
        file.seek(0)
        for place, name, length in png_chunks(file.read(HEAD)):
            if name == b"pHYs":
                splice(file, place, 12 + length, b"")
                return
    elif kind == "TIFF" and density is None:
        _tiff_without(file)


def splice(file: BinaryIO, place: int, removed: int, inserted: bytes) -> None:
    """Replace ``removed`` bytes at ``place`` by ``inserted``; what follows them is moved block by block."""
    end = file.seek(0, io.SEEK_END)
    shift = len(inserted) - removed
    blocks = range(place + removed, end, BLOCK)
    for start in blocks if shift <= 0 else reversed(blocks):
        file.seek(start)
        block = file.read(BLOCK)
        file.seek(start + shift)
        file.write(block)
    file.seek(place)
    file.write(inserted)
    file.truncate(end + shift)


def _tiff_without(file: BinaryIO) -> None:
    """Set the unit to "none" and the ratio to 1, because TIFF requires the entries."""
    with opened(file) as tiff:
        for entries in tiff.directories():
            for tag in (X_RESOLUTION, Y_RESOLUTION):
                if tag in entries:
                    struct.pack_into(f"{tiff.order}II", tiff.data, entries[tag].value, 1, 1)
            if RESOLUTION_UNIT in entries:
                tiff.set_number(entries[RESOLUTION_UNIT], NO_UNIT)
