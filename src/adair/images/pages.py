"""Files with several pages or frames: TIFF, and animations."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

from PIL.TiffImagePlugin import AppendingTiffWriter

from adair.images.animation import READ, WRITTEN, encode_frames, read_frames
from adair.images.files import write_whole
from adair.images.image_file import (
    CLASSIC,
    LARGEST_CLASSIC,
    ImageFile,
    Pages,
    TiffOptions,
    check_quality,
    output_format,
)
from adair.images.limits import MAX_PIXELS, Limits
from adair.images.optional import is_installed
from adair.images.reading import guarded
from adair.images.scratch import Data
from adair.images.sniff import find_format, find_raw
from adair.images.tiff import smaller_copies
from adair.images.writing import encode_image

__all__ = ["Pages", "read_pages", "write_pages"]

HOLDS = {"TIFF": ("TIFF",), **dict.fromkeys(WRITTEN, READ)}  # format of a result: formats whose pages it can all hold


def read_pages(
    data: Data, path: Path, target: Path, max_pixels: int = MAX_PIXELS, scratch: Path | None = None
) -> Pages | None:
    """Decode all pages of a file; None if it has one, or if the format of ``target`` cannot hold them.

    Args:
        data: the bytes of the file.
        path: its name in messages.
        target: the result; its extension decides the format.
        max_pixels: limit for all pages together.
        scratch: as for `decode_image`.

    Raises:
        InputError, FileFormatError, OutOfMemoryError: as `read_image`.
    """
    kind = find_format(data)
    if kind not in HOLDS.get(output_format(target), ()) or find_raw(path, data) or not is_installed("pyvips"):
        return None
    limits = Limits(path, max_pixels, scratch)
    with guarded(data, kind, path):
        if kind == "TIFF":
            return _read_tiff(data, limits)
        # Frames lie in memory together; of a file too large for that, the first is read, with a note.
        return read_frames(data, kind, limits) if isinstance(data, bytes) else None


def write_pages(
    path: Path, pages: Pages, quality: int = 95, overwrite: bool = True, tiff: TiffOptions = CLASSIC
) -> tuple[str, ...]:
    """Write all pages into one file, atomically; return what the format could not hold.

    Raises:
        AdairError: as `write_image`.
    """
    kind = output_format(path)
    check_quality(quality)
    data, notes = _tiff(path, pages, tiff) if kind == "TIFF" else encode_frames(path, kind, pages, quality)
    write_whole(path, data, overwrite)
    return notes


def _read_tiff(data: Data, limits: Limits) -> Pages | None:
    from adair.images import vips

    count, copies = vips.page_facts(data, "TIFF").count, smaller_copies(data)
    pages = [page for page in range(count) if page >= len(copies) or not copies[page]] or [0]
    if count < 2:
        return None
    images, pixels = list[ImageFile](), 0
    for page in pages:
        rest = dataclasses.replace(limits, max_pixels=limits.max_pixels - pixels)
        images.append(vips.decode(data, "TIFF", rest, page))
        pixels += images[-1].pixels.shape[0] * images[-1].pixels.shape[1]
    if len(pages) < count:
        note = "holds smaller copies of a page (a thumbnail, a pyramid): left out; --pyramid makes new ones"
        images[0] = dataclasses.replace(images[0], notes=(*images[0].notes, note))
    return Pages(tuple(images))


def _tiff(path: Path, pages: Pages, tiff: TiffOptions) -> tuple[bytes, tuple[str, ...]]:
    big = tiff.big or sum(page.pixels.nbytes for page in pages.images) > LARGEST_CLASSIC
    buffer, notes = io.BytesIO(), list[str]()
    writer: Any = AppendingTiffWriter(buffer)
    for number, page in enumerate(pages.images):
        # EXIF describes the file; in other pages its pointer would have to be moved.
        like = page if number == 0 else dataclasses.replace(page, exif=None)
        data, said = encode_image(path, page.pixels, like, tiff=TiffOptions(big))
        writer.write(data)
        writer.newFrame()
        notes += said
    writer.finalize()
    notes += ["a file of several pages gets no pyramid"] if tiff.pyramid else []
    return buffer.getvalue(), tuple(dict.fromkeys(notes))
