"""Uploaded bytes to an image, and an image to the bytes of the answer.

Files pass through a folder of their own under names of our own; what a client calls its file is never asked.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from adair.errors import AdairError
from adair.images import read_image, write_image
from adair.images.image_file import FORMATS, ImageFile
from adair.serve.errors import TooLargeError

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "bmp": "image/bmp",
}
SUFFIXES = {name.lower(): suffix for suffix, name in reversed(FORMATS.items())}
UPLOAD = "upload"


def decode(data: bytes, max_pixels: int) -> ImageFile:
    """Decode an upload; its content decides the format.

    Raises:
        AdairError: no image, a damaged one, or one of more than ``max_pixels``.
    """
    with tempfile.TemporaryDirectory(prefix="adair-serve-") as folder:
        path = Path(folder, UPLOAD)
        path.write_bytes(data)
        try:
            return read_image(path, max_pixels)
        except AdairError as error:
            raise _for_client(error, path) from error


def encode(image: ImageFile, name: str, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of ``image`` in the format ``name`` (a key of `MEDIA_TYPES`) and what that format lost."""
    with tempfile.TemporaryDirectory(prefix="adair-serve-") as folder:
        path = Path(folder, f"result{SUFFIXES[name]}")
        try:
            notes = write_image(path, image.pixels, image, quality)
        except AdairError as error:
            raise _for_client(error, path) from error
        return path.read_bytes(), notes


def format_of(data: bytes) -> str:
    """Key in `MEDIA_TYPES` of the format that an upload comes in; "png" where it is none of them."""
    signs = {"jpeg": b"\xff\xd8\xff", "bmp": b"BM"}
    for name, sign in signs.items():
        if data.startswith(sign):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    return "avif" if data[4:8] == b"ftyp" else "png"


def _for_client(error: AdairError, path: Path) -> AdairError:
    """``error`` without the path of our own file and without advice for the command line."""
    text = str(error).replace(str(path), path.stem)
    if " megapixels, more than " in text:
        return TooLargeError(text.split(";")[0] + ", the limit of this server")
    return type(error)(text)
