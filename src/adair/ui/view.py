"""Whole images for the before/after slider."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adair.errors import AdairError
from adair.images import ImageFile, convert_depth
from adair.images.image_file import fitting_icc

MOST_PIXELS = 32_000_000  # browsers hold two of them; larger photos are shown at half their size, or a third


def write_view(path: Path, image: ImageFile) -> Path:
    """Write an image for the slider: 8-bit PNG with the colour profile, lightly compressed, since it is local.

    Raises:
        AdairError: it cannot be written.
    """
    import pyvips

    height, width, bands = image.pixels.shape
    step = next(n for n in range(1, 1000) if height * width <= MOST_PIXELS * n * n)
    pixels = np.ascontiguousarray(convert_depth(image.pixels[::step, ::step], np.uint8))
    try:
        picture = pyvips.Image.new_from_memory(pixels.data, pixels.shape[1], pixels.shape[0], bands, "uchar")
        picture = picture.copy(interpretation="b-w" if bands == 1 else "srgb")
        if profile := fitting_icc(image.icc, bands):
            picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        picture.pngsave(str(path), compression=1)
    except pyvips.Error as error:
        raise AdairError(f"the image for the slider cannot be written ({error})") from error
    return path
