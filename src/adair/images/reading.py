"""Reading image files: decoded completely or refused, turned upright, with their metadata."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from adair.errors import AdairError, FileFormatError, OutOfMemoryError
from adair.images import optional
from adair.images.diagnosis import find_cause
from adair.images.files import read_stable
from adair.images.image_file import ImageFile
from adair.images.limits import MAX_PIXELS, Limits
from adair.images.scratch import Data
from adair.images.sniff import find_format, find_raw, find_unread, is_video


def read_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Read an image file; if it has several pages or frames, only the first, with a note.

    libvips decodes it, or else Pillow, which reads everything that training needs (see `adair.images.pillow`).

    Args:
        path: the file; its content decides the format, not its name.
        max_pixels: larger images are refused before any memory is allocated.

    Raises:
        InputError: the file is missing, empty, not an image, too large, of an unsupported pixel type or of a format
            whose package is not installed, or it changed while being read.
        FileFormatError: the file is damaged or truncated; the message names the cause.
        OutOfMemoryError: an image that would not fit into memory once decoded.
    """
    path = Path(path)
    return decode_image(read_stable(path, most_bytes(max_pixels)), path, max_pixels)


def most_bytes(max_pixels: int) -> int:
    """Return the size of the largest file that is read: 16-bit RGBA plus metadata."""
    return 8 * max_pixels + 2**26


def decode_image(data: Data, path: Path, max_pixels: int = MAX_PIXELS, scratch: Path | None = None) -> ImageFile:
    """Decode the bytes of an image file, as `read_image` does.

    Args:
        data: the bytes.
        path: the file's name in messages; nothing is read from there.
        max_pixels: as for `read_image`.
        scratch: folder for pixels too large for memory, if the format gives them line by line (JPEG, PNG, TIFF).

    Raises:
        InputError, FileFormatError, OutOfMemoryError: as for `read_image`.
    """
    limits = Limits(path, max_pixels, scratch)
    raw = find_raw(path, data)
    kind = raw or find_format(data)
    if kind is None and (unread := find_unread(data)):
        raise FileFormatError(f"{path}: is {unread}, which is not read; convert it to a TIFF of 32-bit floats first")
    if kind is None and is_video(data):
        raise FileFormatError(
            f"{path}: is a video, not an image; restore it with 'adair restore' or adair.restore_video, "
            "and give single pictures of it to anything else"
        )
    if kind is None:
        known = ", ".join(optional.formats_read())
        what = f"is not an image that can be read ({known})" if data else "is empty"
        raise FileFormatError(f"{path}: {what}; give an image file")
    with guarded(data, kind, path):
        if raw:
            return optional.decode_raw(bytes(data), limits, raw)
        if kind in ("HEIC", "JPEG XL"):
            decode = optional.decode_heic if kind == "HEIC" else optional.decode_jxl
            return decode(bytes(data), limits)
        if kind != "BMP" and optional.is_installed("pyvips"):
            from adair.images import vips

            return vips.decode(data, kind, limits)
        from adair.images import pillow

        return pillow.decode(bytes(data), kind, limits)


@contextlib.contextmanager
def guarded(data: Data, kind: str, path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises on damaged input into one line about the file."""
    try:
        yield
    except AdairError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{path}: not enough memory to decode it; free some memory or use a smaller image"
        ) from error
    except Exception as error:  # decoders raise all kinds of exceptions on hostile input; a user needs one line
        cause = find_cause(data, kind, error)
        raise FileFormatError(f"{path}: {kind} damaged or truncated ({cause}); get an intact copy") from error
