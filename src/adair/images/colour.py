"""Colours that files store in other ways than sRGB: inks (CMYK) and CIE Lab become sRGB, and come back as they were.

Both ways lead through the file's profile (ICC.1), relative colorimetric. What sRGB cannot hold is clipped.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import pyvips

from adair.images.image_file import Stored
from adair.images.scratch import Data
from adair.images.tiff import BITS_PER_SAMPLE, PHOTOMETRIC, Tiff, opened, with_photometric

BUILT_IN = "cmyk"  # libvips' profile, for files without one
RGB, CIELAB, ICCLAB = 2, 8, 9  # photometric interpretations of TIFF


def lab_kind(data: Data) -> int | None:
    """Which of `CIELAB` and `ICCLAB` the first page of a TIFF is, with 8 or 16 bits; None for what is neither."""
    try:
        tiff = Tiff(data)
        entries = next(tiff.directories())
        kind = tiff.numbers(entries[PHOTOMETRIC])[0]
        bits = set(tiff.numbers(entries[BITS_PER_SAMPLE]))
    except (struct.error, KeyError, StopIteration, IndexError):
        return None
    return kind if kind in (CIELAB, ICCLAB) and bits in ({8}, {16}) else None


def as_numbers(data: Data, kind: int) -> bytes:
    """Return a Lab TIFF that claims to be RGB, so that it is read as it is: libvips 8.18 refuses Lab of 8 bits."""
    return with_photometric(data, kind, RGB)


def from_inks(image: pyvips.Image) -> tuple[pyvips.Image, Stored]:
    """CMYK, with or without alpha, as sRGB of the same depth."""
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    usable = icc is not None and _exports(icc)
    inks = image.extract_band(0, n=4).copy(interpretation="cmyk")
    rgb = inks.icc_transform("srgb", embedded=usable, input_profile=BUILT_IN, depth=_bits(image))
    return _with_alpha(rgb, image, 4), Stored("cmyk", icc if usable else None)


def from_lab(image: pyvips.Image, kind: int) -> tuple[pyvips.Image, Stored]:
    """Lab as stored numbers (`as_numbers`), with or without alpha, as sRGB of the same depth."""
    bits = _bits(image)
    step, white = 2 ** (bits - 8), 2**bits - 1
    if kind == CIELAB:
        colours = [(image[band] > white // 2).ifthenelse(image[band] - white - 1, image[band]) for band in (1, 2)]
    else:
        colours = [image[band] - 128 * step for band in (1, 2)]
        white = 255 * step
    lab = (image[0] * (100 / white)).bandjoin([colour / step for colour in colours])
    rgb = lab.cast("float").copy(interpretation="lab").icc_export(output_profile="srgb", depth=bits)
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    return _with_alpha(rgb, image, 3), Stored("lab", icc if icc and icc[16:20] == b"Lab " else None)


def to_inks(rgb: pyvips.Image, stored: Stored) -> pyvips.Image:
    """SRGB, without alpha, as CMYK of the same depth."""
    lab = rgb.icc_import(embedded=False, input_profile="srgb").copy()
    if stored.icc is None:
        inks = lab.icc_export(output_profile=BUILT_IN, depth=_bits(rgb)).copy()
        inks.remove("icc-profile-data")
        return inks
    lab.set_type(pyvips.GValue.blob_type, "icc-profile-data", stored.icc)
    return lab.icc_export(depth=_bits(rgb))


def to_lab(rgb: pyvips.Image, stored: Stored) -> pyvips.Image:
    """SRGB, without alpha, as the numbers of a `CIELAB` TIFF of the same depth; `finish_lab` completes the file."""
    bits = _bits(rgb)
    lab = rgb.icc_import(embedded=False, input_profile="srgb")
    light = (lab[0] * ((2**bits - 1) / 100)).rint()
    colours = [(lab[band] * 2 ** (bits - 8)).rint() for band in (1, 2)]
    most = 2 ** (bits - 1)
    colours = [(value < 0).ifthenelse((value < -most).ifthenelse(most, value + 2 * most), value) for value in colours]
    numbers = light.bandjoin(colours).cast(rgb.format).copy(interpretation=rgb.interpretation)
    numbers.remove("icc-profile-data")
    if stored.icc:
        numbers.set_type(pyvips.GValue.blob_type, "icc-profile-data", stored.icc)
    return numbers


def finish_lab(file: BinaryIO) -> None:
    """Make a TIFF with the numbers of `to_lab` say that they are Lab."""
    with opened(file) as tiff:
        for entries in tiff.directories():
            tiff.set_number(entries[PHOTOMETRIC], CIELAB)


def _bits(image: pyvips.Image) -> int:
    return 16 if image.format == "ushort" else 8


def _with_alpha(rgb: pyvips.Image, image: pyvips.Image, band: int) -> pyvips.Image:
    """Add the alpha of ``image``, if it has one, which conversions would leave at the depth that it had."""
    return rgb.bandjoin(image[band]).copy(interpretation=rgb.interpretation) if image.bands > band else rgb


def _exports(icc: bytes) -> bool:
    """Whether a profile of inks works in both directions."""
    try:
        spot = pyvips.Image.black(1, 1, bands=3).cast("float").copy(interpretation="lab")
        spot.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
        return int(spot.icc_export().icc_import(embedded=True).bands) == 3
    except pyvips.Error:
        return False
