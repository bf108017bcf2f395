"""Files with several pages or frames: TIFF, animated WebP, and GIF, whose frames are written as WebP."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import AppendingTiffWriter

from adair.errors import AdairError
from adair.images.files import write_whole
from adair.images.image_file import ImageFile, check_quality, output_format
from adair.images.limits import MAX_PIXELS, Limits
from adair.images.optional import is_installed
from adair.images.reading import guarded
from adair.images.sniff import find_format, find_raw
from adair.images.writing import LONGEST_SIDE, encode, encode_image

HOLDS = {"TIFF": ("TIFF",), "WebP": ("WebP", "GIF")}  # format of a result: formats whose pages it can all hold


@dataclasses.dataclass(frozen=True, eq=False)
class Pages:
    """The pages of a file, in order.

    Attributes:
        images: the pages; in a TIFF they may differ in size and depth.
        delays: milliseconds for which each frame is shown; None for pages.
        loop: how often the frames are shown; 0 for endlessly.
    """

    images: tuple[ImageFile, ...]
    delays: tuple[int, ...] | None = None
    loop: int = 0


def read_pages(data: bytes, path: Path, target: Path, max_pixels: int = MAX_PIXELS) -> Pages | None:
    """Decode all pages of a file; None if it has one, or if the format of ``target`` cannot hold them.

    Args:
        data: the bytes of the file.
        path: its name in messages.
        target: the result; its extension decides the format.
        max_pixels: limit for all pages together.

    Raises:
        InputError, FileFormatError, OutOfMemoryError: as `read_image`.
    """
    kind = find_format(data)
    if kind not in HOLDS.get(output_format(target), ()) or find_raw(path, data) or not is_installed("pyvips"):
        return None
    from adair.images import vips

    limits = Limits(path, max_pixels)
    with guarded(data, kind, path):
        facts = vips.page_facts(data)
        if facts.count < 2:
            return None
        if kind == "TIFF":
            pixels = 0
            images = []
            for page in range(facts.count):
                image = vips.decode(data, kind, dataclasses.replace(limits, max_pixels=max_pixels - pixels), page)
                pixels += image.pixels.shape[0] * image.pixels.shape[1]
                images.append(image)
            return Pages(tuple(images))
        reel = vips.decode(data, kind, limits, page=0, count=facts.count)
        starts = range(0, facts.height * facts.count, facts.height)
        return Pages(tuple(_part(reel, start, start + facts.height) for start in starts), facts.delays, facts.loop)


def write_pages(path: Path, pages: Pages, quality: int = 95, overwrite: bool = True) -> tuple[str, ...]:
    """Write all pages into one file, atomically; return what the format could not hold.

    Raises:
        AdairError: as `write_image`.
    """
    kind = output_format(path)
    check_quality(quality)
    data, notes = _tiff(path, pages) if kind == "TIFF" else _webp(path, pages, quality)
    write_whole(path, data, overwrite)
    return notes


def _tiff(path: Path, pages: Pages) -> tuple[bytes, tuple[str, ...]]:
    buffer, notes = io.BytesIO(), list[str]()
    writer: Any = AppendingTiffWriter(buffer)
    for number, page in enumerate(pages.images):
        # EXIF describes the file; in other pages its pointer would have to be moved.
        like = page if number == 0 else dataclasses.replace(page, exif=None)
        data, said = encode_image(path, page.pixels, like)
        writer.write(data)
        writer.newFrame()
        notes += said
    writer.finalize()
    return buffer.getvalue(), tuple(dict.fromkeys(notes))


def _webp(path: Path, pages: Pages, quality: int) -> tuple[bytes, tuple[str, ...]]:
    first = pages.images[0]
    if max(first.pixels.shape[:2]) > LONGEST_SIDE["WebP"]:
        raise AdairError(f"{path}: WebP allows at most {LONGEST_SIDE['WebP']} pixels per side; use .tif")
    pixels = np.concatenate([image.pixels for image in pages.images])
    alphas = [image.alpha for image in pages.images if image.alpha is not None]
    alpha: Any = np.concatenate(alphas) if alphas else None
    facts = {"page-height": first.pixels.shape[0], "loop": pages.loop}
    return encode("WebP", pixels, alpha, first, quality, facts, pages.delays), ()


def _part(reel: ImageFile, top: int, bottom: int) -> ImageFile:
    alpha = None if reel.alpha is None else reel.alpha[top:bottom]
    return dataclasses.replace(reel, pixels=reel.pixels[top:bottom], alpha=alpha)
