"""Image files in: decoded whole or refused, turned upright, with all that they hold."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from PIL import BmpImagePlugin

from adair.errors import AdairError
from adair.images.exif import exif_from_tiff, without_thumbnail
from adair.images.image_file import DEFAULT_DENSITY, FORMATS, ImageFile, Pixels, decoder_reason, fitting_icc

MAX_PIXELS = 500_000_000

pyvips.cache_set_max(0)  # libvips would keep decoded pictures that are never asked for again


def read_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Read an image file; of a file with several pages or frames the first, with a note.

    Args:
        path: the file; its content decides the format, not its name.
        max_pixels: larger images are refused before any memory is taken.

    Raises:
        AdairError: one line for a file that is missing, empty, no image, damaged, truncated, too large, of an
            unsupported pixel type, or that changed while it was being read.
    """
    path = Path(path)
    data = _read_stable(path, max_pixels)
    kind = _sniff(data)
    if kind is None:
        what = (
            "is empty"
            if not data
            else f"is not an image that can be read ({', '.join(dict.fromkeys(FORMATS.values()))})"
        )
        raise AdairError(f"{path}: {what}; give an image file")
    try:
        return _decode_bmp(path, data, max_pixels) if kind == "BMP" else _decode(path, data, kind, max_pixels)
    except AdairError:
        raise
    except MemoryError as error:
        raise AdairError(f"{path}: not enough memory to decode it; free some memory or use a smaller image") from error
    except Exception as error:  # decoders raise all kinds of things on hostile input; a user needs one line
        raise AdairError(
            f"{path}: {kind} damaged or truncated ({decoder_reason(error)}); get an intact copy"
        ) from error


def _read_stable(path: Path, max_pixels: int) -> bytes:
    """The bytes of a file, read in one go and sure not to have changed meanwhile."""
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            if before.st_size > 8 * max_pixels + 2**26:  # more than RGBA of 16 bits and generous metadata
                raise AdairError(f"{path}: {before.st_size:,} bytes is too large for an image of {_limit(max_pixels)}")
            data = file.read()
        after = path.stat()
    except OSError as error:
        what = "is a folder" if path.is_dir() else "not found" if not path.exists() else "cannot be read"
        raise AdairError(f"{path}: {what}; give an image file that you may read") from error
    same = all(getattr(before, name) == getattr(after, name) for name in ("st_ino", "st_dev", "st_size", "st_mtime_ns"))
    if not same or len(data) != before.st_size:
        raise AdairError(f"{path}: changed while it was being read; try again when it is finished")
    return data


def _sniff(data: bytes) -> str | None:
    """Format by content: only what is meant to be read ever reaches a decoder."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[4:8] == b"ftyp" and (b"avif" in data[8:64] or b"avis" in data[8:64]):
        return "AVIF"
    if data.startswith(b"BM") and len(data) >= 26:
        return "BMP"
    return None


def _decode(path: Path, data: bytes, kind: str, max_pixels: int) -> ImageFile:
    image = pyvips.Image.new_from_buffer(data, "", fail_on="error")
    _check_size(path, image.width, image.height, max_pixels)
    notes = []
    if (pages := _field(image, "n-pages", 1)) > 1:
        notes.append(f"holds {pages} pages or frames: only the first is used")
    icc, exif, xmp = (_field(image, f"{name}-data", None) for name in ("icc-profile", "exif", "xmp"))
    if kind == "TIFF":
        exif = exif_from_tiff(data)
    elif exif:
        exif = without_thumbnail(exif)
    if image.format not in ("uchar", "ushort"):
        raise AdairError(f"{path}: pixels are stored as '{image.format}'; save it with 8 or 16 bits a channel")
    space = image.interpretation
    if space == "cmyk":
        image = image.icc_transform("srgb", embedded=True, depth=16 if image.format == "ushort" else 8)
        icc = None
        notes.append("converted from CMYK to sRGB")
    elif space not in ("srgb", "rgb", "rgb16", "b-w", "grey16", "multiband"):
        image = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
        icc = None
        notes.append(f"converted from {space} to sRGB")
    image = image.autorot()
    if not 1 <= image.bands <= 4:
        raise AdairError(f"{path}: {image.bands} channels; save it as gray or RGB, with or without alpha")
    density = (image.xres, image.yres)
    if density == (1.0, 1.0):  # what libvips says for "unknown"
        density = (DEFAULT_DENSITY, DEFAULT_DENSITY)
    array = np.atleast_3d(image.numpy())
    alpha = np.ascontiguousarray(array[..., -1]) if array.shape[-1] in (2, 4) else None
    pixels = array if alpha is None else np.ascontiguousarray(array[..., :-1])
    if kind in ("WebP", "AVIF") and icc is None and _is_gray(pixels):
        pixels = np.ascontiguousarray(pixels[..., :1])  # these come as RGB, whatever they hold
    return ImageFile(pixels, alpha, fitting_icc(icc, pixels.shape[-1]), exif, xmp, density, tuple(notes))


def _decode_bmp(path: Path, data: bytes, max_pixels: int) -> ImageFile:
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    _check_size(path, image.width, image.height, max_pixels)
    mode = {"1": "L", "L": "L", "RGBA": "RGBA"}.get(image.mode, "RGB")
    array = np.atleast_3d(np.asarray(image.convert(mode)))
    alpha = np.ascontiguousarray(array[..., 3]) if mode == "RGBA" else None
    return ImageFile(np.ascontiguousarray(array[..., :3]), alpha)


def _check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        size = f"{width}x{height} is {width * height / 1e6:.0f} megapixels"
        raise AdairError(f"{path}: {size}, more than {_limit(max_pixels)}")


def _limit(max_pixels: int) -> str:
    return f"{max_pixels / 1e6:g} megapixels; raise --max-megapixels (max_pixels= in Python) if you trust the file"


def _is_gray(pixels: Pixels) -> bool:
    first = pixels[..., 0]
    return all(np.array_equal(first, pixels[..., band]) for band in range(1, pixels.shape[-1]))


def _field(image: Any, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default
