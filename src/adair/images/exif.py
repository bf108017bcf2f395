"""EXIF handling that libvips lacks: it neither reads nor writes EXIF in TIFF files, and keeps stale thumbnails.

An EXIF block is itself a small TIFF: photographic tags in the main directory (maker, date, ...) and in two directories
that it points to (camera settings, position). In a TIFF file the same tags are mixed with those that describe pixels.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from adair.images.scratch import Data

EXIF_DIRECTORY, GPS_DIRECTORY = 0x8769, 0x8825
# Tags of the main directory that describe the photo; its other tags describe how the pixels are stored.
DESCRIPTION, MAKER, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT = 0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298
PHOTO_TAGS = (DESCRIPTION, MAKER, MODEL, SOFTWARE, DATE, ARTIST, COPYRIGHT)
ORIENTATION = 0x0112
ASCII, SHORT, LONG = 2, 3, 4
EMPTY_BLOCK = len(Image.Exif().tobytes())


def without_thumbnail(exif: bytes) -> bytes:
    """Unlink the second directory of an EXIF block: it holds a thumbnail of the image before restoring."""
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    if order is None or len(exif) < start + 8:
        return exif
    (main,) = struct.unpack_from(f"{order}I", exif, start + 4)
    if start + main + 2 > len(exif):
        return exif
    (count,) = struct.unpack_from(f"{order}H", exif, start + main)
    pointer = start + main + 2 + 12 * count
    return exif[:pointer] + bytes(4) + exif[pointer + 4 :] if pointer + 4 <= len(exif) else exif


def upright(exif: bytes) -> bytes:
    """Return an EXIF block that says that the picture stands upright; everything else stays where it is.

    Some makers' notes hold offsets from the start of the block, so nothing in it may move.
    """
    start = 6 if exif.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(exif[start : start + 2])
    out = bytearray(exif)
    try:
        (main,) = struct.unpack_from(f"{order}I", exif, start + 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start + main)
        for entry in range(start + main + 2, start + main + 2 + 12 * count, 12):
            if struct.unpack_from(f"{order}H", exif, entry)[0] == ORIENTATION:
                struct.pack_into(f"{order}HI4s", out, entry + 2, SHORT, 1, struct.pack(f"{order}HH", 1, 0))
    except struct.error:  # not EXIF, or cut off
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
    source = Image.Exif()
    file: Any = io.BytesIO(data) if isinstance(data, bytes) else data
    file.seek(0)
    source.load_from_fp(file)
    result = Image.Exif()
    for tag in PHOTO_TAGS:
        if isinstance(source.get(tag), str):
            result[tag] = source[tag]
    for directory in (EXIF_DIRECTORY, GPS_DIRECTORY):
        if values := source.get_ifd(directory):
            result.get_ifd(directory).update(values)
    block = result.tobytes()
    return block if len(block) > EMPTY_BLOCK else None


def exif_into_tiff(file: BinaryIO, exif: bytes) -> None:
    """Add the photographic tags of the EXIF block ``exif`` to a TIFF file (classic, little-endian).

    The pixels stay where they are: a new main directory with the old and the new entries is appended to the
    file, and the header points to it. A block that cannot be read leaves the file as it was.
    """
    entries = {struct.unpack_from("<H", entry)[0]: entry for _, entry in tiff_entries(file)}
    if not entries:
        return
    try:
        texts, directories = _tiff_tags(exif)
        end = file.seek(0, io.SEEK_END)
        added = bytearray(bytes(end % 2))  # every block begins at an even offset, as TIFF wants
        for tag, text in texts.items():
            inline = len(text) <= 4
            value = text.ljust(4, b"\0") if inline else struct.pack("<I", end + _append(added, text))
            entries[tag] = struct.pack("<HHI", tag, ASCII, len(text)) + value
        for tag, directory in directories.items():
            offset = end + len(added)
            entries[tag] = struct.pack("<HHII", tag, LONG, 1, offset)
            _append(added, directory.tobytes(offset))
        main = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
        pointer = struct.pack("<I", end + _append(added, main))
    except Exception:  # as above
        return
    file.write(added)
    file.seek(4)
    file.write(pointer)


def tiff_entries(file: BinaryIO) -> list[tuple[int, bytes]]:
    """Place and bytes of each entry of a classic little-endian TIFF's main directory; none of another file."""
    file.seek(0)
    head = file.read(8)
    if head[:4] != b"II*\0":
        return []
    (start,) = struct.unpack_from("<I", head, 4)
    file.seek(start)
    (count,) = struct.unpack("<H", file.read(2))
    raw = file.read(12 * count)
    return [(start + 2 + place, raw[place : place + 12]) for place in range(0, 12 * count, 12)]


def _tiff_tags(exif: bytes) -> tuple[dict[int, bytes], dict[int, ImageFileDirectory_v2]]:
    """Texts of the main directory, and the directories that hang off it, by tag."""
    source = Image.Exif()
    source.load(exif)
    texts = {tag: str(source[tag]).encode("utf-8", "replace") + b"\0" for tag in PHOTO_TAGS if source.get(tag)}
    directories = {}
    for tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
        if values := source.get_ifd(tag):
            directories[tag] = ImageFileDirectory_v2()
            directories[tag].update(values)
    return texts, directories


def _append(out: bytearray, block: bytes) -> int:
    """Append ``block``, padded to an even length, and return its offset."""
    offset = len(out)
    out.extend(block + bytes(len(block) % 2))
    return offset
