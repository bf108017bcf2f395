"""Decoding with libvips: every format but BMP; inks, Lab and floats become what the network is used to.

Images too large for memory are read line by line where the format allows it, into arrays on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips

from adair.errors import InputError
from adair.hardware import free_unused
from adair.images import colour, floats, scratch
from adair.images.density import stated_density
from adair.images.diagnosis import find_losses
from adair.images.exif import SIDEWAYS, exif_from_tiff, without_thumbnail
from adair.images.image_file import ImageFile, Stored, fitting_icc, is_gray
from adair.images.limits import Limits
from adair.images.metadata import read_extras
from adair.images.scratch import Data

pyvips.cache_set_max(0)  # libvips would keep decoded pictures that are never needed again
pyvips.block_untrusted_set(True)  # loaders that libvips itself does not trust with files from strangers


@dataclass(frozen=True)
class PageFacts:
    """The number of pages; for an animation, height and EXIF orientation of a frame, and how it is shown (`Pages`)."""

    count: int
    height: int
    orientation: int
    delays: tuple[int, ...] | None
    loop: int


def page_facts(data: Data, kind: str) -> PageFacts:
    """Read the header of a file of the format ``kind``; raises what libvips raises."""
    image = _open(data, kind, False)
    delays = _field(image, "delay", None)
    return PageFacts(
        _field(image, "n-pages", 1),
        image.height,
        _field(image, "orientation", 1),
        None if delays is None else tuple(delays),
        _field(image, "loop", 0),
    )


def decode(data: Data, kind: str, limits: Limits, page: int | None = None, count: int = 1) -> ImageFile:
    """Decode a file of the format ``kind``; raises what libvips raises.

    Args:
        data, kind, limits: the file, its format and its limits.
        page: which page or frame, from 0; None for the first, with a note if there are more.
        count: number of frames of an animation, stacked vertically; more than one are left for the caller to turn
            upright, one by one.

    Raises:
        AdairError: an image that is too large, or of an unsupported pixel type.
    """
    options = {} if page is None else {"page": page, "n": count}
    image = _open(data, kind, False, **options)
    item = {"uchar": 1, "ushort": 2}.get(image.format, 4)
    limits.check(image.width, image.height, image.bands, item, kind in scratch.STREAMED)
    size = image.width * image.height * image.bands * item
    large = limits.scratch is not None and kind in scratch.STREAMED and size >= scratch.LARGE
    if large and _field(image, "orientation", 1) == 1:  # turned pictures are not read in order
        image = _open(data, kind, True, **options)
    extras, lost = read_extras(data, kind)
    notes = lost + find_losses(data, kind, _field(image, "n-pages", 1) if page is None else 1)
    icc, exif, xmp = (_field(image, f"{name}-data", None) for name in ("icc-profile", "exif", "xmp"))
    if kind == "TIFF":
        exif = exif_from_tiff(data)
    elif exif:
        exif = without_thumbnail(exif)
    if image.format not in ("uchar", "ushort", "float"):
        raise InputError(
            f"{limits.path}: pixels are stored as '{image.format}'; save it with 8 or 16 bits per channel, or as floats"
        )
    density, bits = stated_density(data, kind, (image.xres, image.yres)), _field(image, "bits-per-sample", 8)
    if density and _field(image, "orientation", 1) in SIDEWAYS:
        density = density[::-1]
    image, stored, said = _as_rgb(image.autorot() if count == 1 else image, data)
    notes += said
    if not 1 <= image.bands <= 4:
        raise InputError(f"{limits.path}: {image.bands} channels; save it as gray or RGB, with or without alpha")
    coloured = kind in ("WebP", "GIF", "AVIF") or image.get_typeof("palette")  # these decode to RGB even if gray
    pixels, alpha = _lines(image, data, limits) if large else _whole(image)
    del image  # libvips may hold the pixels as well
    icc = None if stored else fitting_icc(icc, pixels.shape[-1])
    if pixels.dtype == np.float32:
        stored, said = floats.to_display(pixels, icc, limits)
        notes += [*said, *(["16-bit floats: written as 32-bit floats"] if bits == 16 else [])]
        icc = None if stored.linear else icc
    if coloured and icc is None and is_gray(pixels):
        pixels = np.ascontiguousarray(pixels[..., :1])
    if bits == 1:
        notes.append("1 bit per pixel: becomes gray with 8 bits")
    return ImageFile(pixels, alpha, icc, exif, xmp, density, tuple(notes), limits.scratch, stored, extras)


def _as_rgb(image: Any, data: Data) -> tuple[Any, Stored | None, list[str]]:
    """The image as gray or RGB, how it was stored if in another way, and what is lost."""
    lab = colour.lab_kind(data)
    if lab is not None:
        return *colour.from_lab(image, lab), []
    space = image.interpretation
    if space == "cmyk" and image.bands >= 4:
        return *colour.from_inks(image), []
    if space in ("srgb", "rgb", "rgb16", "b-w", "grey16", "multiband", "scrgb"):
        return image, None, []
    converted = image.colourspace("rgb16" if image.format == "ushort" else "srgb")
    return converted, None, [f"converted from {space} to sRGB"]


def _open(data: Data, kind: str, sequential: bool, **options: Any) -> Any:
    """Read the header of a file; ``sequential`` for reading the lines once, from top to bottom."""
    if kind == "AVIF":  # libvips does not know animations (brand avis) by their first bytes
        return pyvips.Image.heifload_buffer(bytes(data), fail_on="error", **options)
    if (lab := colour.lab_kind(data)) is not None:
        data = colour.as_numbers(data, lab)
    if isinstance(data, bytes) and not sequential:
        return pyvips.Image.new_from_buffer(data, "", fail_on="error", **options)
    source = pyvips.Source.new_from_memory(data)  # without a copy
    access = "sequential" if sequential else "random"
    return pyvips.Image.new_from_source(source, "", fail_on="error", access=access, **options)


def _whole(image: Any) -> tuple[Any, Any]:
    """Colour (H, W, 1 or 3), and alpha (H, W) if there is one."""
    array = np.atleast_3d(image.numpy())
    if array.shape[-1] in (1, 3):
        return array, None
    return np.ascontiguousarray(array[..., :-1]), np.ascontiguousarray(array[..., -1])


def _lines(image: Any, data: Data, limits: Limits) -> tuple[Any, Any]:
    """Do what `_whole` does, without ever holding more than a few lines in memory."""
    height, width, bands = image.height, image.width, image.bands
    dtype = np.dtype({"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}[image.format])
    colours = bands - (bands in (2, 4))
    pixels = scratch.empty((height, width, colours), dtype, limits.scratch)
    alpha = scratch.empty((height, width), dtype, limits.scratch) if colours < bands else None
    region = pyvips.Region.new(image)
    for top in range(0, height, scratch.LINES):
        bottom = min(top + scratch.LINES, height)
        lines = np.frombuffer(region.fetch(0, top, width, bottom - top), dtype).reshape(-1, width, bands)
        pixels[top:bottom] = lines[..., :colours]
        if alpha is not None:
            alpha[top:bottom] = lines[..., -1]
        for used in (pixels, alpha, data):
            scratch.release(used)
    free_unused()
    return pixels, alpha


def _field(image: Any, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default
