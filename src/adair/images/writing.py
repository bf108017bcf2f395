"""Writing image files atomically, in the format that the file name asks for."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from adair.errors import AdairError
from adair.images import floats, scratch
from adair.images.density import correct_density
from adair.images.diagnosis import find_cause
from adair.images.exif import into_tiff
from adair.images.files import new_file, write_whole
from adair.images.image_file import (
    CLASSIC,
    DEFAULT_DENSITY,
    FORMATS,
    LARGEST_CLASSIC,
    ImageFile,
    Pixels,
    TiffOptions,
    check_quality,
    convert_depth,
    fitting_icc,
    output_format,
)
from adair.images.metadata import EMBEDDED, embed, fit, tiff_values, upright_xmp
from adair.images.parts import explain

HOLDS = {"cmyk": ("TIFF", "JPEG"), "lab": ("TIFF",), "float": ("TIFF",)}  # which format holds which `Stored`
VIPS_TYPES = {  # libvips' names of a type, and of gray and RGB with it
    np.dtype(np.uint8): ("uchar", "b-w", "srgb"),
    np.dtype(np.uint16): ("ushort", "grey16", "rgb16"),
    np.dtype(np.float32): ("float", "b-w", "scrgb"),
}
LONGEST_SIDE = {"JPEG": 65_535, "WebP": 16_383, "AVIF": 65_536}


def write_image(
    path: str | os.PathLike[str],
    pixels: Pixels,
    like: ImageFile | None = None,
    quality: int = 95,
    overwrite: bool = False,
    tiff: TiffOptions = CLASSIC,
) -> tuple[str, ...]:
    """Write ``pixels`` atomically, in the format that the name of ``path`` asks for.

    Colour profile, EXIF, XMP, density and alpha come from ``like``. 16-bit pixels stay 16-bit in PNG and TIFF, become
    12-bit in AVIF and 8-bit in the others.

    Args:
        path: its extension is one of `FORMATS`; missing folders are created.
        pixels: (H, W, 1), (H, W, 3) or (H, W), uint8 or uint16.
        like: the image that ``pixels`` was made from; its alpha must have the size of ``pixels``.
        quality: 1 to 100 for JPEG (4:4:4), WebP and AVIF (4:4:4); 100 is lossless in WebP and AVIF. PNG, TIFF and BMP
            are always lossless.
        overwrite: whether an existing file is replaced; if not, it is an error, even if it appears meanwhile.
        tiff: how a TIFF is written.

    Returns:
        What the format could not hold, one line each.

    Raises:
        AdairError: one line for an unknown extension, a size that the format cannot hold, or a file that cannot be
            written (no permission, disk full).
    """
    path = Path(path)
    kind = output_format(path)
    check_quality(quality)
    pixels, alpha, like, notes = _fit(path, kind, pixels, like or ImageFile(pixels))
    if kind in scratch.STREAMED and pixels.nbytes >= scratch.LARGE:
        try:
            with new_file(path, overwrite) as part:
                _stream(part, kind, pixels, alpha, like, quality, tiff)
        except OSError as error:
            raise AdairError(f"{path}: cannot be written: {explain(error)}") from error
        except _vips_error() as error:
            raise _unwritable(path, kind, error) from error
    else:
        write_whole(path, _encode(path, kind, pixels, alpha, like, quality, tiff), overwrite)
    return notes


def encode_image(
    path: Path,
    pixels: Pixels,
    like: ImageFile | None = None,
    quality: int = 95,
    tiff: TiffOptions = CLASSIC,
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes that `write_image` writes, and what the format could not hold.

    Args:
        path: its extension decides the format, and messages name it; nothing is written there.
        pixels, like, quality, tiff: as for `write_image`.

    Raises:
        AdairError: as for `write_image`.
    """
    kind = output_format(path)
    check_quality(quality)
    pixels, alpha, like, notes = _fit(path, kind, pixels, like or ImageFile(pixels))
    return _encode(path, kind, pixels, alpha, like, quality, tiff), notes


def _fit(
    path: Path, kind: str, pixels: Pixels, like: ImageFile
) -> tuple[Pixels, Pixels | None, ImageFile, tuple[str, ...]]:
    """Return pixels, alpha and what goes with them as a format can hold them, and what is lost."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    height, width, bands = pixels.shape
    if bands not in (1, 3) or pixels.dtype not in VIPS_TYPES:
        raise ValueError(f"pixels must be (H, W, 1 or 3) uint8, uint16 or float32, not {pixels.shape} {pixels.dtype}")
    longest = LONGEST_SIDE.get(kind, max(height, width))
    if max(height, width) > longest:
        raise AdairError(
            f"{path}: {kind} allows at most {longest} pixels per side, not {width}x{height}; use .png or .tif"
        )
    like, notes = _held(kind, pixels, like)
    if pixels.dtype == np.float32:
        pixels = _stored_floats(pixels, like)
    alpha = None if like.alpha is None else convert_depth(like.alpha, pixels.dtype, like.scratch)
    if alpha is not None and alpha.shape != (height, width):
        raise ValueError(f"alpha is {alpha.shape[1]}x{alpha.shape[0]}, the pixels {width}x{height}")
    if pixels.dtype == np.uint16 and kind in ("JPEG", "WebP", "BMP"):
        notes.append(f"{kind} has 8 bits per channel: rounded from 16")
        pixels = convert_depth(pixels, np.uint8, like.scratch)
        alpha = None if alpha is None else convert_depth(alpha, np.uint8, like.scratch)
    if alpha is not None and kind in ("JPEG", "BMP"):
        notes.append(f"{kind} has no transparency: flattened onto white")
        pixels, alpha = _on_white(pixels, alpha, like.scratch), None
    like, lost = fit(kind, like)
    return pixels, alpha, like, (*notes, *lost)


def _held(kind: str, pixels: Pixels, like: ImageFile) -> tuple[ImageFile, list[str]]:
    """``like`` without what a format cannot hold of the way in which its file stored colours, and what that is."""
    real, stored = pixels.dtype == np.float32, like.stored
    if stored is not None and kind in HOLDS[stored.space] and real == (stored.space == "float"):
        return like, []
    notes = [f"{kind} holds no floating point: rounded to 16 bits, and clipped to 0..1"] if real else []
    if stored is not None and stored.space != "float":
        notes.append(f"{kind} holds no {'Lab' if stored.space == 'lab' else 'CMYK'}: converted to sRGB")
    linear = real and stored is not None and stored.linear
    icc = stored.icc if linear and stored is not None else like.icc
    return dataclasses.replace(like, stored=None, icc=icc), notes


def _stored_floats(pixels: Pixels, like: ImageFile) -> Pixels:
    """Restored floats as a file holds them: floats, or 16 bits."""
    if like.stored is not None:
        return floats.to_file(pixels, like.stored, like.scratch)
    straight = like.icc is not None and floats.is_linear(like.icc)
    return floats.to_integers(pixels, straight, like.scratch)


def _encode(
    path: Path, kind: str, pixels: Pixels, alpha: Pixels | None, like: ImageFile, quality: int, tiff: TiffOptions
) -> bytes:
    if kind == "BMP":
        return _encode_bmp(pixels)
    try:
        return encode(kind, pixels, alpha, like, quality, tiff=tiff)
    except _vips_error() as error:
        raise _unwritable(path, kind, error) from error


def _vips_error() -> type[Exception]:
    import pyvips

    error: type[Exception] = pyvips.Error
    return error


def _unwritable(path: Path, kind: str, error: Exception) -> AdairError:
    return AdairError(f"{path}: cannot be written as {kind} ({find_cause(b'', kind, error)}); use .png or .tif")


def encode(
    kind: str,
    pixels: Pixels,
    alpha: Pixels | None,
    like: ImageFile,
    quality: int,
    frames: Mapping[str, int] | None = None,
    delays: Sequence[int] | None = None,
    tiff: TiffOptions = CLASSIC,
) -> bytes:
    """Encode pixels that the format can hold; raises what libvips raises.

    Args:
        kind, pixels, alpha, like, quality: as for `encode_image`; frames of an animation are stacked vertically.
        frames: libvips' metadata of an animation.
        delays: milliseconds per frame.
        tiff: as for `write_image`.
    """
    image = _with_facts(kind, pixels, alpha, like, frames, delays)
    file = io.BytesIO(image.write_to_buffer(_suffix(kind), **_saving(kind, pixels, like, quality, tiff)))
    _finish(file, kind, like, *pixels.shape[:2])
    return file.getvalue()


def _stream(
    part: Path, kind: str, pixels: Pixels, alpha: Pixels | None, like: ImageFile, quality: int, tiff: TiffOptions
) -> None:
    """Write into a file what `encode` would return, line by line; raises whatever libvips does."""
    import pyvips

    def let_go(*_: Any) -> None:
        scratch.release(pixels)
        scratch.release(alpha)

    image = _with_facts(kind, pixels, alpha, like)
    image.set_progress(True)
    image.signal_connect("eval", let_go)
    target = pyvips.Target.new_to_file(os.fspath(part))
    image.write_to_target(target, _suffix(kind), **_saving(kind, pixels, like, quality, tiff))
    with part.open("rb+") as file:
        _finish(file, kind, like, *pixels.shape[:2])


def _with_facts(
    kind: str,
    pixels: Pixels,
    alpha: Pixels | None,
    like: ImageFile,
    frames: Mapping[str, int] | None = None,
    delays: Sequence[int] | None = None,
) -> Any:
    """Return an image for libvips; see `encode`."""
    import pyvips

    from adair.images import colour

    stored = like.stored
    image = _vips_image(pixels)
    if stored is not None and stored.space == "cmyk":
        image = colour.to_inks(image, stored)
    elif stored is not None and stored.space == "lab":
        image = colour.to_lab(image, stored)
    space = image.interpretation
    if alpha is not None:
        image = image.bandjoin(_vips_image(alpha))
    across, down = like.density or (DEFAULT_DENSITY, DEFAULT_DENSITY)
    image = image.copy(interpretation=space, xres=across, yres=down)
    icc = fitting_icc(like.icc, pixels.shape[-1]) if stored is None else stored.icc
    blobs = {"icc-profile-data": icc}
    if kind not in EMBEDDED:
        blobs |= {"exif-data": like.exif, "xmp-data": upright_xmp(like.xmp) if like.xmp else None}
    for name, blob in blobs.items():
        if blob:
            image.set_type(pyvips.GValue.blob_type, name, blob)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)  # the pixels are upright; libvips corrects the EXIF tag
    for name, value in (frames or {}).items():
        image.set_type(pyvips.GValue.gint_type, name, value)
    if delays:
        image.set_type(pyvips.GValue.array_int_type, "delay", list(delays))
    return image


def _saving(kind: str, pixels: Pixels, like: ImageFile, quality: int, tiff: TiffOptions) -> dict[str, Any]:
    """What libvips is told about the format."""
    import pyvips

    options: dict[str, dict[str, Any]] = {
        "PNG": {"compression": 6},
        # To choose the best codes a JPEG encoder keeps the whole coded picture: for a large one twice its size.
        "JPEG": {"Q": quality, "subsample_mode": "off", "optimize_coding": pixels.nbytes < scratch.LARGE},
        "WebP": {"Q": quality, "lossless": quality == 100, "smart_subsample": True},
        "TIFF": {
            "compression": "deflate",
            "predictor": "float" if pixels.dtype == np.float32 else "horizontal",
            "bigtiff": tiff.big or pixels.nbytes * (2 if tiff.pyramid else 1) > LARGEST_CLASSIC,
            **({"tile": True, "pyramid": True} if tiff.pyramid else {}),
        },
        "AVIF": {
            "Q": quality,
            "lossless": quality == 100,
            "compression": "av1",
            "subsample_mode": "off",
            "bitdepth": 12 if pixels.dtype == np.uint16 else 8,
        },
    }
    kept = (
        0 if like.exif and kind not in EMBEDDED else pyvips.ForeignKeep.EXIF
    )  # libvips would invent a block that says 72 dpi
    return {"keep": pyvips.ForeignKeep.ALL & ~kept, **options[kind]}


def _suffix(kind: str) -> str:
    return next(suffix for suffix, name in FORMATS.items() if name == kind)


def _finish(file: BinaryIO, kind: str, like: ImageFile, height: int, width: int) -> None:
    """Add to a file what libvips does not write, and remove what it invents."""
    if like.stored is not None and like.stored.space == "lab":
        from adair.images import colour

        colour.finish_lab(file)
    correct_density(file, kind, like.density)
    embed(file, kind, like, width, height)
    if kind == "TIFF":
        into_tiff(file, like.exif, tiff_values(like))


def _encode_bmp(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "BMP")
    return buffer.getvalue()


def _vips_image(array: Pixels) -> Any:
    """Pixels (H, W, 1 or 3), or alpha (H, W), as libvips sees them."""
    import pyvips

    array = np.ascontiguousarray(np.atleast_3d(array))
    height, width, bands = array.shape
    kind, gray, rgb = VIPS_TYPES[array.dtype]
    image = pyvips.Image.new_from_memory(array.data, width, height, bands, kind)
    return image.copy(interpretation=gray if bands == 1 else rgb)


def _on_white(pixels: Pixels, alpha: Pixels, folder: Path | None) -> Pixels:
    def mix(colours: Pixels, opacity: Pixels) -> Pixels:
        weight = opacity.astype(np.uint32)[..., None]
        mixed = colours.astype(np.uint32) * weight + 255 * (255 - weight)
        return ((mixed + 127) // 255).astype(np.uint8)

    return scratch.by_lines(mix, np.uint8, folder, pixels, alpha)
