"""The content of an image file, and the formats that file names stand for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from adair.errors import AdairError
from adair.images.scratch import by_lines

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32]

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
    ".bmp": "BMP",
}
RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
# Extensions that results never have, most of formats that are only read (`optional`), and those of their results.
READ_ONLY = {
    ".gif": "GIF", ".jxl": "JPEG XL", ".apng": "APNG", ".avifs": "AVIFS",
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), "HEIC"),
    ".jfif": "JFIF", ".jpe": "JFIF", **dict.fromkeys(RAW_SUFFIXES, "raw"),
}  # fmt: skip
WRITTEN_AS = {
    "GIF": ".webp", "HEIC": ".jpg", "JPEG XL": ".png", "APNG": ".png", "AVIFS": ".avif", "JFIF": ".jpg", "raw": ".tif",
}  # fmt: skip
LARGEST_CLASSIC = (
    4_000_000_000  # bytes of pixels that a TIFF of the classic kind, with offsets of 32 bits, surely holds
)
DEFAULT_DENSITY = 72 / 25.4  # pixels per millimetre (72 dpi) that EXIF assumes if a file does not say


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """How a file stores its colours, if not as the sRGB-like integers that `ImageFile.pixels` are.

    Attributes:
        space: "cmyk" or "lab" (`colour`), or "float" (`floats`).
        icc: the file's colour profile; None if it has none that can be used.
        linear: whether floats are proportional to light.
        above: by how much floats are above 1, shaped as the pixels; None if none are.
    """

    space: Literal["cmyk", "lab", "float"]
    icc: bytes | None
    linear: bool = False
    above: npt.NDArray[np.float32] | None = None


@dataclasses.dataclass(frozen=True)
class Extras:
    """Metadata that only some formats have (`metadata`).

    Attributes:
        resources: Photoshop's, among them IPTC, without thumbnails; None if there are none.
        comments: of a JPEG, as they are stored.
        texts: of a PNG: names and contents of chunks, as they are stored.
        colours: the same of chunks of a PNG that describe its colours without a profile, if other than sRGB.
    """

    resources: bytes | None = None
    comments: tuple[bytes, ...] = ()
    texts: tuple[bytes, ...] = ()
    colours: tuple[bytes, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFile:
    """A decoded image file, turned upright.

    Args:
        pixels: (H, W, 1) gray or (H, W, 3) RGB, uint8, uint16 or float32 in 0..1, in the colour space of ``icc``.
        alpha: (H, W) opacity in the same type, or None; colour is not premultiplied.
        icc: colour profile; None means sRGB.
        exif: EXIF block (orientation already applied); None if the file has none.
        xmp: XMP packet or None.
        density: pixels per millimetre, horizontally and vertically; None if the file does not say.
        notes: what a user should know about how the file was read, one line each.
        scratch: folder for pixels too large for memory, those of results as well; None to keep all in memory.
        stored: how the file stores its colours, so that they can be written back like that; None if as ``pixels``.
        extras: IPTC, comments and texts.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    density: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    scratch: Path | None = None
    stored: Stored | None = None
    extras: Extras = Extras()


@dataclasses.dataclass(frozen=True)
class TiffOptions:
    """How a TIFF is written.

    Attributes:
        big: as BigTIFF; files of more than `LARGEST_CLASSIC` bytes are so in any case.
        pyramid: in tiles, with copies of half, a quarter, ... of the size, for viewers of large images.
    """

    big: bool = False
    pyramid: bool = False


CLASSIC = TiffOptions()


@dataclasses.dataclass(frozen=True, eq=False)
class Pages:
    """The pages or frames of a file, in order.

    Attributes:
        images: the pages; in a TIFF they may differ in size and depth.
        delays: milliseconds for which each frame is shown; None for pages.
        loop: how often the frames are shown; 0 for endlessly.
    """

    images: tuple[ImageFile, ...]
    delays: tuple[float, ...] | None = None
    loop: int = 0


def output_format(path: Path) -> str:
    """Return the format that the extension of ``path`` stands for.

    Raises:
        AdairError: for any extension that is not in `FORMATS`.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise AdairError(f"{path}: unknown image extension '{path.suffix}'; use one of {' '.join(FORMATS)}") from None


def result_suffix(source: str) -> str:
    """Return the extension of a result: that of the source, unless its format is only read."""
    return WRITTEN_AS[READ_ONLY[source.lower()]] if source.lower() in READ_ONLY else source


def check_quality(quality: int) -> None:
    """Raise `AdairError` unless ``quality`` is 1 to 100."""
    if not 1 <= quality <= 100:
        raise AdairError(f"quality {quality} is outside 1..100; 95 is nearly lossless")


def convert_depth(array: Pixels, dtype: npt.DTypeLike, folder: Path | None = None) -> Pixels:
    """Convert 8-bit values to 16 bits (times 257) or back, and floats in 0..1 to either (rounded).

    A matching array is returned unchanged. A result too large for memory goes to ``folder`` (`adair.images.scratch`).
    """
    if array.dtype == dtype:
        return array
    if array.dtype == np.float32:
        return by_lines(_whole_numbers if dtype == np.uint16 else _bytes, dtype, folder, array)
    return by_lines(_deeper if dtype == np.uint16 else _shallower, dtype, folder, array)


def _whole_numbers(array: Pixels) -> Pixels:
    return np.rint(array.clip(0, 1) * np.float32(65535)).astype(np.uint16)


def _bytes(array: Pixels) -> Pixels:
    return np.rint(array.clip(0, 1) * np.float32(255)).astype(np.uint8)


def _deeper(array: Pixels) -> Pixels:
    return array.astype(np.uint16) * np.uint16(257)


def _shallower(array: Pixels) -> Pixels:
    return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def fitting_icc(icc: bytes | None, bands: int) -> bytes | None:
    """Return the profile if it fits the number of channels (its header names the colour space)."""
    return icc if icc and icc[16:20] == (b"GRAY" if bands == 1 else b"RGB ") else None


def is_gray(pixels: Pixels) -> bool:
    """Whether all channels of (H, W, C) are equal."""
    first = pixels[..., 0]
    return all(np.array_equal(first, pixels[..., band]) for band in range(1, pixels.shape[-1]))
