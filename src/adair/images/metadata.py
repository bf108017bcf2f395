"""What files hold besides pixels, profile and density: EXIF, XMP, IPTC, comments and texts.

JPEG and PNG get their blocks here, byte for byte as they came, since libvips would write EXIF anew: makers' notes may
hold offsets from the start of the block. EXIF 2.32; XMP part 3; Photoshop file formats; PNG, third edition.
"""

from __future__ import annotations

import dataclasses
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL import TiffTags

from adair.images.density import splice
from adair.images.diagnosis import png_chunks
from adair.images.exif import EXIF_DIRECTORY, GPS_DIRECTORY, PHOTO_TAGS, upright
from adair.images.image_file import Extras, ImageFile
from adair.images.scratch import Data
from adair.images.tiff import Tiff

EMBEDDED = ("JPEG", "PNG")  # formats that get EXIF and XMP here; libvips writes those of the others
EXIF_HEAD, XMP_HEAD, PHOTOSHOP_HEAD = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0"
XMP_KEYWORD = b"XML:com.adobe.xmp"
APP1, APP11, APP13, COMMENT, SCAN = 0xE1, 0xEB, 0xED, 0xFE, 0xDA
SEGMENT = 65_533  # bytes of a JPEG segment
MAKER_NOTE = 0x927C
IPTC_RESOURCE, THUMBNAILS = 0x0404, (0x0409, 0x040C)
IPTC_TAG, PHOTOSHOP_TAG = 0x83BB, 0x8649
STALE = re.compile(rb"^Raw profile type (exif|APP1|xmp|icc|icm)\0", re.IGNORECASE)  # with the old orientation
# What of a PNG says that its colours are sRGB (cHRM and gAMA in 100,000ths), and how far rounding may be off.
SRGB_CICP = bytes((1, 13, 0, 1))
SRGB_NUMBERS = {b"cHRM": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), b"gAMA": (45455,)}
ROUNDING = 100
ORIENTATION = re.compile(rb"""(tiff:Orientation(?:=["']|>))[2-8]""")
# Tags of a TIFF that describe how its pixels are stored, and those that are kept elsewhere.
USED = {
    *range(254, 260), 262, 263, 266, 273, 274, *range(277, 285), 286, 287, *range(290, 294), 296, 297, 301,
    *range(317, 326), 328, 330, *range(332, 337), *range(338, 344), 347, *range(512, 522), *range(529, 533), 700, 34675,
    IPTC_TAG, PHOTOSHOP_TAG, EXIF_DIRECTORY, GPS_DIRECTORY, *PHOTO_TAGS,
}  # fmt: skip


def read_extras(data: Data, kind: str) -> tuple[Extras, list[str]]:
    """Return what libvips does not read of a file, and a line for what of it is lost; broken parts are left out."""
    try:
        if kind == "JPEG":
            return _from_jpeg(data)
        if kind == "PNG":
            return _from_png(data), []
        if kind == "TIFF":
            return _from_tiff(data)
    except (struct.error, ValueError):
        pass
    return Extras(), []


def fit(kind: str, like: ImageFile) -> tuple[ImageFile, list[str]]:
    """Return ``like`` with only what a format holds, and a line for everything else."""
    extras, lost = like.extras, list[str]()
    exif, xmp = like.exif, like.xmp
    if kind == "BMP":
        lost += ["colour profile"] if like.icc else []
        lost += ["EXIF"] if exif else []
        lost += ["XMP"] if xmp else []
        exif = xmp = None
    if exif and _exif_entries(exif) is None:
        exif, lost = None, [*lost, "EXIF that cannot be read"]
    if kind == "JPEG" and exif and len(exif) + len(EXIF_HEAD) > SEGMENT:
        exif, lost = None, [*lost, "EXIF of more than 64 KB"]
    if kind == "JPEG" and xmp and len(xmp) + len(XMP_HEAD) > SEGMENT:
        xmp, lost = None, [*lost, "XMP of more than 64 KB"]
    if extras.resources and kind not in ("JPEG", "TIFF"):
        lost.append("IPTC and other resources of Photoshop")
    if extras.comments and kind not in EMBEDDED:
        lost.append("comments")
    if extras.texts and kind != "PNG":
        lost.append(f"PNG texts ({', '.join(_keywords(extras.texts))})")
    if extras.colours and kind != "PNG":
        lost.append(f"a PNG's description of its colours ({', '.join(one[:4].decode() for one in extras.colours)})")
    notes = [f"{kind} has no place for {' or '.join(lost)}: left out"] if lost else []
    if exif and kind in ("TIFF", "AVIF") and MAKER_NOTE in (_exif_entries(exif) or ()):
        notes.append("the maker's note in EXIF has moved: some programs read it only where it was")
    kept = Extras(
        extras.resources if kind in ("JPEG", "TIFF") else None,
        extras.comments if kind in EMBEDDED else (),
        extras.texts if kind == "PNG" else (),
        extras.colours if kind == "PNG" else (),
    )
    return dataclasses.replace(like, exif=exif, xmp=xmp, extras=kept), notes


def embed(file: BinaryIO, kind: str, like: ImageFile, width: int, height: int) -> None:
    """Add to a JPEG or PNG file without metadata what ``like`` has of it, and to a WebP its EXIF as it came."""
    exif = upright(like.exif, width, height) if like.exif else b""
    exif = exif.removeprefix(EXIF_HEAD)
    if kind == "JPEG":
        file.seek(0)
        head = file.read(22)
        place = 2 + (2 + int.from_bytes(head[4:6], "big") if head[2:4] == b"\xff\xe0" else 0)
        splice(file, place, 0, b"".join(_jpeg_segments(exif, like)))
    elif kind == "PNG":
        splice(file, 33, 0, b"".join(_chunk(content) for content in _png_contents(exif, like)))
    elif kind == "WebP" and exif:
        _replace_webp_exif(file, exif)


def upright_xmp(xmp: bytes) -> bytes:
    """Return an XMP packet that says that the picture stands upright."""
    return ORIENTATION.sub(rb"\g<1>1", xmp)


def tiff_values(like: ImageFile) -> dict[int, bytes]:
    """The values of tags that a TIFF gets, as bytes."""
    resources = like.extras.resources
    iptc = iptc_of(resources) if resources else None
    return {tag: value for tag, value in ((IPTC_TAG, iptc), (PHOTOSHOP_TAG, resources)) if value}


def iptc_of(resources: bytes) -> bytes | None:
    """The IPTC records among Photoshop's resources."""
    return next((content for number, content, _ in _resources(resources) if number == IPTC_RESOURCE), None)


def _from_jpeg(data: Data) -> tuple[Extras, list[str]]:
    resources, comments, notes = b"", list[bytes](), list[str]()
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != SCAN:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        content = bytes(data[place + 4 : place + 2 + length])
        place += 2 + length
        if marker == APP13 and content.startswith(PHOTOSHOP_HEAD):
            resources += content[len(PHOTOSHOP_HEAD) :]
        elif marker == COMMENT:
            comments.append(content)
        elif marker == APP1 and content.startswith(b"http://ns.adobe.com/xmp/extension/"):
            notes.append("holds XMP of more than 64 KB: only its main part is kept")
        elif marker == APP11 and b"jumb" in content[:64]:
            notes.append("holds content credentials (C2PA), which vouch for the original: left out")
    return Extras(_without_thumbnails(resources), tuple(comments)), list(dict.fromkeys(notes))


def _from_png(data: Data) -> Extras:
    texts, colours, ahead = list[bytes](), dict[bytes, bytes](), True
    for place, name, length in png_chunks(data):
        ahead = ahead and name != b"IDAT"
        if ahead and name in (b"cICP", b"cHRM", b"gAMA", b"iCCP", b"sRGB"):
            colours[name] = bytes(data[place + 8 : place + 8 + length])
        if name in (b"tEXt", b"zTXt", b"iTXt"):
            content = bytes(data[place + 4 : place + 8 + length])
            stale = content[4:].startswith(XMP_KEYWORD + b"\0") or STALE.match(content[4:])
            texts += [] if stale else [content]
    return Extras(texts=tuple(texts), colours=tuple(name + content for name, content in _odd_colours(colours)))


def _odd_colours(found: dict[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Of chunks about colour those that neither say sRGB nor are overruled by another one."""
    if (content := found.get(b"cICP", SRGB_CICP)) != SRGB_CICP and len(content) == len(SRGB_CICP):
        yield b"cICP", content
    if b"iCCP" in found or b"sRGB" in found:
        return
    for name, numbers in SRGB_NUMBERS.items():
        if len(content := found.get(name, b"")) == 4 * len(numbers):
            stated = struct.unpack(f">{len(numbers)}I", content)
            if any(abs(one - other) > ROUNDING for one, other in zip(stated, numbers, strict=True)):
                yield name, content


def _from_tiff(data: Data) -> tuple[Extras, list[str]]:
    tiff = Tiff(data)
    entries = next(tiff.directories())
    resources = tiff.bytes(entries[PHOTOSHOP_TAG]) if PHOTOSHOP_TAG in entries else b""
    if IPTC_TAG in entries and iptc_of(resources) is None:
        resources += _resource(IPTC_RESOURCE, tiff.bytes(entries[IPTC_TAG]))
    names = [TiffTags.lookup(tag).name for tag in sorted(set(entries) - USED)]
    shown = ", ".join(name if name != "unknown" else "private ones" for name in dict.fromkeys(names))
    return Extras(_without_thumbnails(resources)), [f"tags of the TIFF that are left out: {shown}"] if names else []


def _jpeg_segments(exif: bytes, like: ImageFile) -> Iterator[bytes]:
    if exif:
        yield _segment(APP1, EXIF_HEAD + exif)
    if like.xmp:
        yield _segment(APP1, XMP_HEAD + upright_xmp(like.xmp))
    resources, most = like.extras.resources or b"", SEGMENT - len(PHOTOSHOP_HEAD)
    for start in range(0, len(resources), most):
        yield _segment(APP13, PHOTOSHOP_HEAD + resources[start : start + most])
    for comment in like.extras.comments:
        yield _segment(COMMENT, comment[:SEGMENT])


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _png_contents(exif: bytes, like: ImageFile) -> Iterator[bytes]:
    """Names and contents of chunks."""
    yield from like.extras.colours  # have to precede all others but the first
    if exif:
        yield b"eXIf" + exif
    if like.xmp:
        yield b"iTXt" + XMP_KEYWORD + bytes(5) + upright_xmp(like.xmp)
    for comment in like.extras.comments:
        text = comment.rstrip(b"\0").decode("utf-8", "replace").replace("\0", " ")
        yield b"iTXtComment" + bytes(5) + text.encode()
    yield from like.extras.texts


def _chunk(content: bytes) -> bytes:
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _replace_webp_exif(file: BinaryIO, exif: bytes) -> None:
    """Put EXIF as it came in the place of what libvips has made of it."""
    place, end = 12, file.seek(0, 2)
    while place + 8 <= end:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"EXIF":
            padded = exif + bytes(len(exif) % 2)
            splice(file, place + 4, 4 + length + length % 2, struct.pack("<I", len(exif)) + padded)
            file.seek(4)
            file.write(struct.pack("<I", end - 8 + len(padded) - length - length % 2))
            return
        place += 8 + length + length % 2


def _resources(block: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content and whole bytes of each of Photoshop's resources."""
    place = 0
    while block[place : place + 4] == b"8BIM":
        number, name = struct.unpack_from(">HB", block, place + 4)
        start = place + 6 + (name + 2) // 2 * 2
        (length,) = struct.unpack_from(">I", block, start)
        end = start + 4 + length + length % 2
        yield number, block[start + 4 : start + 4 + length], block[place:end]
        place = end


def _resource(number: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)


def _without_thumbnails(block: bytes) -> bytes | None:
    """The resources without pictures of the image before restoring."""
    return b"".join(whole for number, _, whole in _resources(block) if number not in THUMBNAILS) or None


def _keywords(texts: tuple[bytes, ...]) -> list[str]:
    return list(dict.fromkeys(text[4:84].split(b"\0")[0].decode("latin-1") for text in texts))


def _exif_entries(exif: bytes) -> set[int] | None:
    """The tags of an EXIF block; None if it cannot be read."""
    try:
        tiff = Tiff(exif.removeprefix(EXIF_HEAD))
        main = next(tiff.directories())
        place = tiff.numbers(main[EXIF_DIRECTORY])[0] if EXIF_DIRECTORY in main else 0
        return set(main) | (set(tiff.entries(place)[0]) if place else set())
    except (struct.error, StopIteration, IndexError):
        return None
