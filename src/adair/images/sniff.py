"""File formats recognised by their first bytes, so that only supported files ever reach a decoder."""

from __future__ import annotations

import struct
from pathlib import Path

from adair.images.image_file import FORMATS, RAW_SUFFIXES, WRITTEN_AS
from adair.images.scratch import Data
from adair.images.tiff import STARTS, Tiff

HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
JXL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
RAW_STARTS = {
    b"FUJIFILMCCD-RAW": "RAF",
    b"IIRO": "ORF",
    b"IIRS": "ORF",
    b"MMOR": "ORF",
    b"IIU\0": "RW2",
    b"FOVb": "X3F",
}
NOT_READ = {b"\x76\x2f\x31\x01": "OpenEXR", b"#?RADIANCE": "Radiance HDR", b"#?RGBE": "Radiance HDR"}
VIDEO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide")  # of MP4 and MOV; images whose files begin alike are found before
VIDEO_STARTS = (
    b"\x1a\x45\xdf\xa3",  # Matroska and WebM
    b"\0\0\1\xba",  # MPEG
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # WMV
    b"FLV\1",
    b"OggS",
)
NEW_SUBFILE_TYPE, SUB_DIRECTORIES, DNG_VERSION = 0x00FE, 0x014A, 0xC612
RAW_TAGS = (NEW_SUBFILE_TYPE, SUB_DIRECTORIES, DNG_VERSION)


def find_format(data: Data) -> str | None:
    """Return the name of the format, one of `FORMATS` and `WRITTEN_AS`; None for anything else."""
    start = data[:64]
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[:4] in STARTS:
        return "TIFF"
    if start[4:8] == b"ftyp" and (b"avif" in start[8:] or b"avis" in start[8:]):
        return "AVIF"
    if start[4:8] == b"ftyp" and any(brand in start[8:] for brand in HEIC_BRANDS):
        return "HEIC"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if start.startswith(JXL_STARTS):
        return "JPEG XL"
    if start.startswith(b"BM") and len(data) >= 26:
        return "BMP"
    return None


def find_unread(data: Data) -> str | None:
    """Return the name of a format of scene-linear images that is recognised but not read."""
    return next((name for start, name in NOT_READ.items() if data[: len(start)] == start), None)


def is_video(data: Data) -> bool:
    """Whether data that are no image begin as the usual video files do."""
    start = data[:16]
    avi = start[:4] == b"RIFF" and start[8:12] == b"AVI "
    return avi or start[4:8] in VIDEO_BOXES or start.startswith(VIDEO_STARTS)


def suffix_of(kind: str | None) -> str:
    """Return the extension of a result whose source has a format; ".png" for None."""
    return WRITTEN_AS.get(kind or "") or next((suffix for suffix, name in FORMATS.items() if name == kind), ".png")


def find_raw(path: Path, data: Data) -> str | None:
    """Return the kind of a raw file, such as "NEF"; None for other files.

    Most raw formats are TIFF files whose first picture is a small preview.
    """
    suffix = path.suffix.lower()
    if data[:4] in STARTS:
        if data[8:10] == b"CR":
            return "CR2"
        tags = _first_directory(data)
        if DNG_VERSION in tags:
            return "DNG"
        preview = tags.get(NEW_SUBFILE_TYPE, 0) & 1 and SUB_DIRECTORIES in tags
        if preview or suffix in RAW_SUFFIXES:
            return suffix[1:].upper() if suffix in RAW_SUFFIXES else "camera's"
    if data[4:12] == b"ftypcrx ":
        return "CR3"
    return next((kind for start, kind in RAW_STARTS.items() if data[: len(start)] == start), None)


def _first_directory(data: Data) -> dict[int, int]:
    """Return what the first directory of a TIFF says about being raw; nothing if it is cut off."""
    try:
        tiff = Tiff(data)
        entries = tiff.entries(tiff.first)[0]
        return {tag: (*tiff.numbers(entries[tag]), 0)[0] for tag in RAW_TAGS if tag in entries}
    except struct.error:
        return {}
