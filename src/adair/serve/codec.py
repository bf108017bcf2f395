"""From uploaded bytes to an image, and from an image to the response; file names from clients are not used."""

from __future__ import annotations

from pathlib import Path

from adair.errors import TooLargeError
from adair.images import FORMATS, ImageFile, decode_image, encode_image
from adair.images.sniff import find_format

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "bmp": "image/bmp",
}
SPELLINGS = {"jpg": "jpeg", "tif": "tiff"}  # other names of formats, as `adair restore` takes them
SUFFIXES = {name.lower(): suffix for suffix, name in reversed(FORMATS.items())}
UPLOAD, MASK = Path("upload"), Path("mask")  # their names in messages


def decode(data: bytes, max_pixels: int, name: Path = UPLOAD) -> ImageFile:
    """Decode an upload; its content decides the format.

    Args:
        name: what messages call it.

    Raises:
        AdairError: not an image, a damaged one, or one with more than ``max_pixels``.
    """
    try:
        return decode_image(data, name, max_pixels)
    except TooLargeError as error:
        raise TooLargeError(str(error).split(";")[0] + ", the limit of this server") from error


def encode(image: ImageFile, name: str, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of ``image`` in the format ``name`` (a key of `MEDIA_TYPES`) and what that format lost."""
    return encode_image(Path(f"result{SUFFIXES[name]}"), image.pixels, image, quality)


def format_of(data: bytes) -> str:
    """Return the key in `MEDIA_TYPES` of an upload's format; "png" if it is none of them."""
    kind = (find_format(data) or "PNG").lower()
    return kind if kind in MEDIA_TYPES else "jpeg" if kind == "heic" else "png"
