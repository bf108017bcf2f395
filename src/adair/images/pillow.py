"""Decoding with Pillow: BMP always, and every format on a machine without libvips, where training still works.

8-bit files and 16-bit gray give the same pixels as libvips, except AVIF in colour (1 level of 255 at 4:4:4). Pillow has
no 16-bit colour: such a PNG is read with 8 bits, at most 1 level away from rounded values, and such a TIFF is refused.
CMYK is converted without its profile.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from adair.errors import InputError
from adair.images.diagnosis import find_losses
from adair.images.exif import without_thumbnail
from adair.images.image_file import ImageFile, fitting_icc
from adair.images.limits import Limits

MODES = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
NAMES = {"JPEG": ("JPEG", "MPO")}  # a JPEG with a second picture is MPO to Pillow


def decode(data: bytes, kind: str, limits: Limits) -> ImageFile:
    """Decode a file of the format ``kind``; raises what Pillow raises.

    Raises:
        AdairError: an image that is too large, or of floating-point pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `limits` decides
        image: Image.Image = Image.open(io.BytesIO(data), formats=NAMES.get(kind, (kind.upper(),)))
    sixteen = image.mode.startswith("I")
    limits.check(image.width, image.height, len(image.getbands()), 2 if sixteen else 1)
    if image.mode == "F":
        raise InputError(f"{limits.path}: pixels are stored as 'float'; save it with 8 or 16 bits per channel")
    notes = find_losses(data, kind, getattr(image, "n_frames", 1) if kind != "JPEG" else 1)
    icc, exif, xmp = (image.info.get(name) for name in ("icc_profile", "exif", "xmp"))
    if image.mode == "CMYK":
        icc = None
        notes.append("converted from CMYK to sRGB without its profile")
    mode = MODES.get(image.mode, "RGBA" if image.has_transparency_data else "RGB")
    image = ImageOps.exif_transpose(image) if not sixteen else image
    array = np.atleast_3d(np.asarray(image, np.int64).astype(np.uint16) if sixteen else np.asarray(image.convert(mode)))
    alpha = np.ascontiguousarray(array[..., -1]) if array.shape[-1] in (2, 4) else None
    pixels = np.ascontiguousarray(array if alpha is None else array[..., :-1])
    return ImageFile(
        pixels,
        alpha,
        fitting_icc(icc, pixels.shape[-1]),
        without_thumbnail(exif) if exif else None,
        xmp,
        notes=tuple(notes),
    )
