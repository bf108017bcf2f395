"""Formats that are only read, each through an optional package: HEIC and HEIF, JPEG XL, and raw files of cameras.

Extra ``heic``: pi-heif (BSD; brings libheif and libde265, LGPL). Extra ``jxl``: pylibjxl (BSD, with libjxl). Extra
``raw``: rawpy (MIT; brings LibRaw, LGPL 2.1 or CDDL). Packages whose wheels contain code under the GPL (pillow-heif,
pillow-jxl-plugin) are not used.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adair.errors import FileFormatError, InputError
from adair.images.diagnosis import missing_bytes
from adair.images.exif import exif_from_tiff, without_thumbnail
from adair.images.image_file import FORMATS, READ_ONLY, ImageFile, Pixels, fitting_icc
from adair.images.limits import Limits

PACKAGES = {"HEIC": ("pi_heif", "heic"), "JPEG XL": ("pylibjxl", "jxl"), "raw": ("rawpy", "raw")}
SRGB_CURVE = (2.4, 12.92)  # exponent and slope near black, as LibRaw expects them (IEC 61966-2-1)


def suffixes_read() -> frozenset[str]:
    """Return the extensions of files that can be read with the packages that are installed."""
    missing = {kind for kind, (module, _) in PACKAGES.items() if not is_installed(module)}
    return frozenset(FORMATS) | {suffix for suffix, kind in READ_ONLY.items() if kind not in missing}


def formats_read() -> tuple[str, ...]:
    """Return the names of formats that can be read with the packages that are installed."""
    extra = [kind for kind, (module, _) in PACKAGES.items() if is_installed(module)]
    return tuple(dict.fromkeys([*FORMATS.values(), "GIF", *extra]))


def suffixes_known() -> frozenset[str]:
    """Return the extensions of files that can be read, if not with what is installed then with one of the extras."""
    return frozenset(FORMATS) | frozenset(READ_ONLY)


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # `sys.modules` holds None for it
        return False


def load_package(kind: str, path: Path, what: str) -> Any:
    """Import the package that reads a kind of file.

    Raises:
        InputError: it is not installed; the message says how to install it.
    """
    module, extra = PACKAGES[kind]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{path}: is {what}; reading it needs {module.replace('_', '-')}, which is not installed: "
            f"pip install 'adair[{extra}]'; or convert it to a 16-bit TIFF first"
        ) from error


def decode_heic(data: bytes, limits: Limits) -> ImageFile:
    """Decode the main picture of a HEIC or HEIF file; 10 and 12 bits become 16. Raises what pi-heif raises."""
    pi_heif = load_package("HEIC", limits.path, "a HEIC photo")
    boxes = _boxes(data)
    if b"moov" in boxes and b"meta" not in boxes:
        raise InputError(
            f"{limits.path}: is a HEIC sequence without a still picture, which is not read; convert it to a video first"
        )
    pictures = pi_heif.open_heif(io.BytesIO(_with_ascii_items(data)), convert_hdr_to_8bit=False)
    main = pictures[pictures.primary_index]
    bits = main.info["bit_depth"]
    width, height = main.size
    limits.check(width, height, 4, 1 if bits == 8 else 2)
    array = np.atleast_3d(np.asarray(main))
    if bits > 8:  # they come shifted to the left, which would leave white below 65535
        array = array | (array >> bits)
    notes = [f"holds {len(pictures)} pictures: only the main one is used"] if len(pictures) > 1 else []
    if b"moov" in boxes:
        notes.append("holds a sequence of frames: left out, only its still picture is used")
    if b"hdrgainmap" in data[: 2**18]:
        notes.append("holds an HDR gain map: left out, only the picture for standard screens is used")
    pixels, alpha = _parted(array)
    exif, xmp = main.info.get("exif"), main.info.get("xmp")
    icc = fitting_icc(main.info.get("icc_profile"), pixels.shape[-1])
    return ImageFile(pixels, alpha, icc, without_thumbnail(exif) if exif else None, xmp or None, notes=tuple(notes))


def _with_ascii_items(data: bytes) -> bytes:
    """Return a HEIF file with question marks for bytes above 127 in the entries of its items (``infe``).

    pi-heif 1.4 crashes on an item whose type is no text. Nothing that is read of a file depends on these bytes.
    """
    place = _boxes(data).get(b"meta", len(data))
    end = place + int.from_bytes(data[place : place + 4], "big")
    out = bytearray(data)
    for found in re.finditer(rb"infe", data[place:end]):
        start = place + found.end() + 8  # after version, number and protection of the item
        stop = (
            place + found.start() - 4 + int.from_bytes(data[place + found.start() - 4 : place + found.start()], "big")
        )
        out[start:stop] = bytes(byte if byte < 128 else 63 for byte in out[start:stop])
    return bytes(out)


def _boxes(data: bytes) -> dict[bytes, int]:
    """Return where the outermost boxes of a file begin (ISO 14496-12), by kind; the first of each kind."""
    found: dict[bytes, int] = {}
    place = 0
    while place + 8 <= len(data):
        found.setdefault(data[place + 4 : place + 8], place)
        size = int.from_bytes(data[place : place + 4], "big")
        if size == 1:  # the size is too large for four bytes, and follows
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        place = place + max(size, 8) if size else len(data)
    return found


def decode_jxl(data: bytes, limits: Limits) -> ImageFile:
    """Decode a JPEG XL file with 8 bits per channel. Raises what pylibjxl raises."""
    pylibjxl = load_package("JPEG XL", limits.path, "a JPEG XL image")
    header = pylibjxl.probe(data)
    limits.check(header["width"], header["height"], 4, 1)
    array, extras = pylibjxl.decode(data, metadata=True)
    if header.get("have_animation"):  # with metadata it returns the last frame
        array = pylibjxl.decode(data)
    bits = header.get("bits_per_sample", 8)
    pixels, alpha = _parted(np.atleast_3d(array))
    notes = [f"has {bits} bits per channel: read with 8"] if bits > 8 else []
    notes += ["holds several frames: only the first is used"] if header.get("have_animation") else []
    exif = re.search(rb"(MM\0\*|II\*\0).*", extras.get("exif", b""), re.DOTALL)  # a length may precede it
    return ImageFile(
        pixels,
        alpha,
        fitting_icc(extras.get("icc"), pixels.shape[-1]),
        without_thumbnail(b"Exif\0\0" + exif[0]) if exif else None,
        extras.get("xmp"),
        notes=tuple(notes),
    )


def decode_raw(data: bytes, limits: Limits, kind: str) -> ImageFile:
    """Develop a raw file: the camera's white balance, sRGB, 16 bits, no brightening. Raises what rawpy raises."""
    rawpy = load_package("raw", limits.path, f"a {kind} raw photo")
    if missing := missing_bytes(data):
        raise FileFormatError(f"{limits.path}: {kind} damaged or truncated ({missing:,} bytes are missing at its end)")
    with rawpy.imread(io.BytesIO(data)) as raw:
        limits.check(raw.sizes.iwidth, raw.sizes.iheight, 3, 2)
        pixels = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            output_bps=16,
            output_color=rawpy.ColorSpace.sRGB,
            gamma=SRGB_CURVE,
        )
    exif = exif_from_tiff(data)
    notes = [f"developed from {kind}: the camera's white balance, sRGB, 16 bits"]
    notes += [] if exif else [f"EXIF of {kind} files is not read: left out"]
    return ImageFile(np.ascontiguousarray(pixels), exif=exif, notes=tuple(notes))


def _parted(array: npt.NDArray[Any]) -> tuple[Pixels, Pixels | None]:
    """Return colour, and alpha if there is any."""
    if array.shape[-1] in (2, 4):
        return np.ascontiguousarray(array[..., :-1]), np.ascontiguousarray(array[..., -1])
    return np.ascontiguousarray(array), None
