"""EXIF handling that libvips lacks: it neither reads nor writes EXIF in TIFF files, and keeps stale thumbnails.

An EXIF block is itself a small TIFF: photographic tags in the main directory (maker, date, ...) and in two directories
that it points to (camera settings, position). In a TIFF file the same tags are mixed with those that describe pixels.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from adair.images.scratch import Data
from adair.images.tiff import STARTS, Tiff, opened

EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825
# Tags of the main directory that describe the photo; its other tags describe how the pixels are stored.
DESCRIPTION, MAKER, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT = 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298
PHOTO_TAGS = (DESCRIPTION, MAKER, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
ORIENTATION, WIDTH, HEIGHT = 0x0112, 0xA002, 0xA003
SIDEWAYS = range(5, 9)  # orientations that exchange height and width
THUMBNAIL, THUMBNAIL_LENGTH = 0x0201, 0x0202
ASCII, SHORT, LONG, UNDEFINED, LONG8 = 2, 3, 4, 7, 16
HEADS = {layout: start + bytes(12 if layout[1] else 4) for start, layout in STARTS.items()}  # of a file, for Pillow
EMPTY_BLOCK = len(Image.Exif().tobytes())


def without_thumbnail(exif: bytes) -> bytes:
    """Remove the thumbnail from an EXIF block, since it shows the image before restoring; all else stays in place."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    try:
        tiff = Tiff(exif[start:])
        (place,) = struct.unpack_from(f"{tiff.order}I", exif, start + 4)
        (count,) = struct.unpack_from(f"{tiff.order}H", exif, start + place)
        link = start + place + 2 + 12 * count
        (second,) = struct.unpack_from(f"{tiff.order}I", exif, link)
        out = bytearray(exif)
        out[link : link + 4] = bytes(4)
        entries = tiff.entries(second)[0] if second else {}
        if THUMBNAIL in entries and THUMBNAIL_LENGTH in entries:
            first = start + tiff.numbers(entries[THUMBNAIL])[0]
            last = min(first + tiff.numbers(entries[THUMBNAIL_LENGTH])[0], len(out))
            out[first:last] = bytes(0 if last == len(out) else max(last - first, 0))
        return bytes(out)
    except (struct.error, IndexError):  # not EXIF, or cut off
        return exif


def upright(exif: bytes, width: int, height: int) -> bytes:
    """Return an EXIF block of an upright picture of this size; everything else stays where it is.

    Some makers' notes hold offsets from the start of the block, so nothing in it may move.
    """
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    out = bytearray(exif)
    try:
        tiff = Tiff(exif[start:])
        entries = next(tiff.directories())
        if EXIF_DIRECTORY in entries:
            entries |= tiff.entries(tiff.numbers(entries[EXIF_DIRECTORY])[0])[0]
        if ORIENTATION in entries:
            struct.pack_into(f"{tiff.order}HIHH", out, start + entries[ORIENTATION].at + 2, SHORT, 1, 1, 0)
        for tag, side in ((WIDTH, width), (HEIGHT, height)):
            if tag in entries:
                struct.pack_into(f"{tiff.order}HII", out, start + entries[tag].at + 2, LONG, 1, side)
    except (struct.error, IndexError, StopIteration):  # not EXIF, or cut off
        return exif
    return bytes(out)


def exif_from_tiff(data: Data) -> bytes | None:
    """Return the photographic tags of a TIFF file as an EXIF block; None if it has none that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about broken tags, which are dropped anyway
            return _photo_tags(data)
    except Exception:  # metadata comes from many programs; a broken tag must not cost the picture
        return None


def _photo_tags(data: Data) -> bytes | None:
    tiff = Tiff(data)
    file: Any = io.BytesIO(data) if isinstance(data, bytes) else data
    main = _directory(file, tiff, tiff.first, None)
    result = Image.Exif()
    for tag in PHOTO_TAGS:
        if isinstance(main.get(tag), str):
            result[tag] = main[tag]
    for tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
        if isinstance(main.get(tag), int):
            result.get_ifd(tag).update(_directory(file, tiff, main[tag], tag))
    block = result.tobytes()
    return block if len(block) > EMPTY_BLOCK else None


def _directory(file: Any, tiff: Tiff, place: int, group: int | None) -> dict[int, Any]:
    """The values in a directory, as Pillow reads them."""
    found = ImageFileDirectory_v2(bytes(tiff.data[: 16 if tiff.big else 8]), group=group)
    file.seek(place)
    found.load(file)
    return dict(found)


def into_tiff(file: BinaryIO, exif: bytes | None, values: Mapping[int, bytes]) -> None:
    """Add tags to a TIFF file.

    The pixels stay where they are: a new main directory with the old and the new entries is appended to the
    file, and the header points to it.

    Args:
        file: open for reading and writing.
        exif: a block whose photographic tags are added; one that cannot be read is left out.
        values: bytes to add, by tag.
    """
    with opened(file) as tiff:
        first = tiff.first
        found, following = tiff.entries(first)
        size = 20 if tiff.big else 12
        entries = {tag: bytes(tiff.data[entry.at : entry.at + size]) for tag, entry in found.items()}
        order, big = tiff.order, tiff.big
    texts, directories = _tiff_tags(exif, order, big) if exif else ({}, {})
    if not (texts or directories or values):
        return
    offset, head, room = ("Q", "HHQ", 8) if big else ("I", "HHI", 4)
    end = file.seek(0, io.SEEK_END)
    added = bytearray(bytes(end % 2))  # every block begins at an even offset, as TIFF wants
    kinds = dict.fromkeys(texts, ASCII) | dict.fromkeys(values, UNDEFINED)
    for tag, content in {**texts, **values}.items():
        inline = len(content) <= room
        value = content.ljust(room, b"\0") if inline else struct.pack(order + offset, end + _append(added, content))
        entries[tag] = struct.pack(order + head, tag, kinds[tag], len(content)) + value
    for tag, directory in directories.items():
        place = end + len(added)
        entries[tag] = struct.pack(order + head + offset, tag, LONG8 if big else LONG, 1, place)
        _append(added, directory.tobytes(place))
    main = struct.pack(order + ("Q" if big else "H"), len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    pointer = struct.pack(order + offset, end + _append(added, main + struct.pack(order + offset, following)))
    file.write(added)
    file.seek(8 if big else 4)
    file.write(pointer)


def _tiff_tags(exif: bytes, order: str, big: bool) -> tuple[dict[int, bytes], dict[int, ImageFileDirectory_v2]]:
    """Texts of the main directory, and the directories that hang off it, by tag."""
    directories = {}
    try:
        source = Image.Exif()
        source.load(exif)
        texts = {tag: str(source[tag]).encode("utf-8", "replace") + b"\0" for tag in PHOTO_TAGS if source.get(tag)}
        for tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
            if values := source.get_ifd(tag):
                directories[tag] = ImageFileDirectory_v2(HEADS[order, big])
                directories[tag].update(values)
                directories[tag].tobytes(0)  # fails now or never
    except Exception:  # as above
        return {}, {}
    return texts, directories


def _append(out: bytearray, block: bytes) -> int:
    """Append ``block``, padded to an even length, and return its offset."""
    offset = len(out)
    out.extend(block + bytes(len(block) % 2))
    return offset
