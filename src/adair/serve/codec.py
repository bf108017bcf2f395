"""Uploaded bytes to an image, and an image to the bytes of the answer; what a client calls its file is never asked."""

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
SUFFIXES = {name.lower(): suffix for suffix, name in reversed(FORMATS.items())}
UPLOAD = Path("upload")  # what messages call it


def decode(data: bytes, max_pixels: int) -> ImageFile:
    """Decode an upload; its content decides the format.

    Raises:
        AdairError: no image, a damaged one, or one of more than ``max_pixels``.
    """
    try:
        return decode_image(data, UPLOAD, max_pixels)
    except TooLargeError as error:
        raise TooLargeError(str(error).split(";")[0] + ", the limit of this server") from error


def encode(image: ImageFile, name: str, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of ``image`` in the format ``name`` (a key of `MEDIA_TYPES`) and what that format lost."""
    return encode_image(Path(f"result{SUFFIXES[name]}"), image.pixels, image, quality)


def format_of(data: bytes) -> str:
    """Key in `MEDIA_TYPES` of the format that an upload comes in; "png" where it is none of them."""
    kind = (find_format(data) or "PNG").lower()
    return kind if kind in MEDIA_TYPES else "jpeg" if kind == "heic" else "png"
