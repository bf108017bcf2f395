"""EXIF handling that libvips lacks: it neither reads nor writes EXIF in TIFF files, and keeps stale thumbnails.

An EXIF block is itself a small TIFF: photographic tags in the main directory (maker, date, ...) and in two directories
that it points to (camera settings, position). In a TIFF file the same tags are mixed with those that describe pixels.
"""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

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


def exif_from_tiff(data: bytes) -> bytes | None:
    """Return the photographic tags of a TIFF file as an EXIF block; None if it has none that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about broken tags, which are dropped anyway
            return _photo_tags(data)
    except Exception:  # metadata comes from many programs; a broken tag must not cost the picture
        return None


def _photo_tags(data: bytes) -> bytes | None:
    source = Image.Exif()
    source.load_from_fp(io.BytesIO(data))
    result = Image.Exif()
    for tag in PHOTO_TAGS:
        if isinstance(source.get(tag), str):
            result[tag] = source[tag]
    for directory in (EXIF_DIRECTORY, GPS_DIRECTORY):
        if values := source.get_ifd(directory):
            result.get_ifd(directory).update(values)
    block = result.tobytes()
    return block if len(block) > EMPTY_BLOCK else None


def exif_into_tiff(tiff: bytes, exif: bytes) -> bytes:
    """Return ``tiff`` (classic, little-endian) with the photographic tags of the EXIF block ``exif`` added.

    The pixels stay where they are: a new main directory with the old and the new entries is appended to the
    file, and the header points to it. A block that cannot be read leaves the file as it was.
    """
    if tiff[:4] != b"II*\0":
        return tiff
    try:
        source = Image.Exif()
        source.load(exif)
        texts = {tag: str(source[tag]).encode("utf-8", "replace") + b"\0" for tag in PHOTO_TAGS if source.get(tag)}
        directories = {}
        for tag in (EXIF_DIRECTORY, GPS_DIRECTORY):
            if values := source.get_ifd(tag):
                directory = ImageFileDirectory_v2()
                directory.update(values)
                directories[tag] = directory
        out = bytearray(tiff)
        entries = _main_entries(tiff)
        for tag, text in texts.items():
            inline = len(text) <= 4
            value = text.ljust(4, b"\0") if inline else struct.pack("<I", _append(out, text))
            entries[tag] = struct.pack("<HHI", tag, ASCII, len(text)) + value
        for tag, directory in directories.items():
            offset = _append(out, b"")
            entries[tag] = struct.pack("<HHII", tag, LONG, 1, _append(out, directory.tobytes(offset)))
        main = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
        struct.pack_into("<I", out, 4, _append(out, main))
        return bytes(out)
    except Exception:  # as above
        return tiff


def _main_entries(tiff: bytes) -> dict[int, bytes]:
    """Raw 12-byte entries of the main directory by tag; their offsets are absolute, so they stay valid."""
    (start,) = struct.unpack_from("<I", tiff, 4)
    (count,) = struct.unpack_from("<H", tiff, start)
    raw = [tiff[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    return {struct.unpack_from("<H", entry)[0]: entry for entry in raw}


def _append(out: bytearray, block: bytes) -> int:
    """Append ``block`` at an even offset, as TIFF requires, and return the offset."""
    out.extend(bytes(len(out) % 2))
    offset = len(out)
    out.extend(block)
    return offset
