"""What is wrong with a damaged file, and what is lost from an intact one, where decoders do not report it.

A decoder's error is often a heap of harmless warnings with the cause somewhere among them, or no more than "read
error". In formats with checksums or lengths, these reveal the cause.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from adair.images.scratch import Data
from adair.images.tiff import Tiff

LONGEST = 160  # characters of a cause
EMPTY_WORDS = re.compile(r"unable to call|unable to load|bad seek|load error|libpng read error|libjpeg error", re.I)
STRIPS, TILES, SUB_DIRECTORIES = (0x0111, 0x0117), (0x0144, 0x0145), 0x014A  # offsets and lengths
MOST_DIRECTORIES = 50  # of a TIFF that are examined
ZEROED = bytes(32)  # a run that no photo is coded as, where the code of all zeros carries a value


def find_cause(data: Data, kind: str, error: Exception) -> str:
    """Return the most telling cause of a decoder's ``error``, in one line."""
    found = data and {"PNG": _png_fault, "TIFF": _tiff_fault, "WebP": _webp_fault}.get(kind, _no_fault)(data)
    if found:
        return found
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if re.search(r"[a-z]{3}", line)]  # some consist only of a code
    telling = [line for line in lines if not EMPTY_WORDS.search(line)] or lines or [type(error).__name__]
    text = re.sub(r"\s+", " ", telling[-1])
    text = re.sub(r"^b'(.*)'$", r"\1", text)  # LibRaw's
    return re.sub(r"^\w*(vips|Vips)\w*: |^heif: ", "", text)[:LONGEST]


def find_losses(data: Data, kind: str, pages: int) -> list[str]:
    """Return what is not read from an intact file, and what looks damaged although it decodes; one line each."""
    notes = []
    if kind == "PNG" and (frames := _png_frames(data)) > 1:
        pages = frames
    if pages > 1:
        notes.append(f"holds {pages} pages or frames: only the first is used")
    if kind in ("JPEG", "AVIF") and (b"hdr-gain-map" in data[: 2**18] or b"ts:21496:-1" in data[: 2**18]):
        notes.append("holds an HDR gain map: left out, only the picture for standard screens is used")
    if kind == "JPEG" and (place := _zeroed(data)) is not None:
        notes.append(f"looks damaged: zeroed bytes within the picture from byte {place}; look at the result")
    return notes


def _no_fault(data: Data) -> str | None:
    return None


def png_chunks(data: Data) -> Iterator[tuple[int, bytes, int]]:
    """Place, name and claimed length of each chunk."""
    place = 8
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        yield place, name, length
        place += 12 + length


def _png_fault(data: Data) -> str | None:
    end = False
    for place, name, length in png_chunks(data):
        shown = ascii(name.decode("latin-1"))[1:-1]
        if place + 12 + length > len(data):
            return f"the file ends after {len(data)} bytes, within its chunk {shown}"
        (stored,) = struct.unpack_from(">I", data, place + 8 + length)
        if zlib.crc32(data[place + 4 : place + 8 + length]) != stored:
            return f"chunk {shown} at byte {place} does not match its checksum"
        if end := name == b"IEND":
            break
    return None if end else f"the file ends after {len(data)} bytes, before its last chunk"


def _png_frames(data: Data) -> int:
    """Frames of an animated PNG."""
    for place, name, length in png_chunks(data):
        if name == b"acTL" and length == 8 and place + 16 <= len(data):
            return int(struct.unpack_from(">I", data, place + 8)[0])
        if name == b"IDAT":
            break
    return 1


def _tiff_fault(data: Data) -> str | None:
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8:
        return f"the file ends after {len(data)} bytes"
    (start,) = struct.unpack_from(order + "I", data, 4)
    if data[2:4] in (b"*\0", b"\0*") and not 8 <= start <= len(data) - 2:
        return f"its directory should lie at byte {start}, and the file has {len(data)} bytes"
    return None


def missing_bytes(data: Data) -> int:
    """Return how many bytes of its pictures a TIFF-based raw file lacks, by its directories; 0 for other files.

    LibRaw develops what is left of a truncated file, and reports it only on the terminal.
    """
    end = len(data)
    try:
        tiff = Tiff(data)
        directories = [tiff.first]
        for place in directories:  # grows on the way
            entries, following = tiff.entries(place)
            numbers = {tag: tiff.numbers(entries[tag]) for tag in (*STRIPS, *TILES, SUB_DIRECTORIES) if tag in entries}
            for offsets, lengths in (STRIPS, TILES):
                ends = map(sum, zip(numbers.get(offsets, ()), numbers.get(lengths, ()), strict=False))
                end = max([end, *ends])
            new = [one for one in (*numbers.get(SUB_DIRECTORIES, ()), following) if one and one not in directories]
            directories += new[: max(MOST_DIRECTORIES - len(directories), 0)]
    except struct.error:  # no TIFF, or a directory lies beyond the end; the decoder reports that itself
        pass
    return end - len(data)


def _webp_fault(data: Data) -> str | None:
    (claimed,) = struct.unpack_from("<I", data, 4)
    return f"the file has {len(data)} of {claimed + 8} bytes" if claimed + 8 > len(data) else None


def _zeroed(data: Data) -> int | None:
    """Return where a JPEG's coded data contains a run of zero bytes that no encoder writes; None if there is none.

    Zero bits repeat the shortest code of a table. If that code means "no change" (flat areas under optimised tables),
    such a run is valid; if it carries a value, the run would decode to a repeated pattern.
    """
    if data.find(ZEROED) < 0:
        return None
    tables: dict[int, int] = {}
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, (length,) = data[place + 1], struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        place += 2 + length
        if marker == 0xC4:
            while len(body) >= 18:
                tables[body[0]] = body[17]
                body = body[17 + sum(body[1:17]) :]
        elif marker == 0xDA and body:
            count, start = body[0], place
            place = _scan_end(data, start)
            if len(body) < 4 + 2 * count or body[-1] >> 4:
                continue  # a refinement scan: plain bits, which may all be zero
            used = [body[2 + 2 * i] for i in range(count)]
            dc = [tables.get(t >> 4, 0) for t in used] if body[1 + 2 * count] == 0 else []
            ac = [tables.get(16 | (t & 15), 0) & 15 for t in used] if body[2 + 2 * count] > 0 else []
            found = data.find(ZEROED, start, place)
            if found >= 0 and any(dc + ac):
                return found
    return None


def _scan_end(data: Data, place: int) -> int:
    """Return the position of the next marker that is neither a stuffed byte nor a restart marker."""
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        if data[place + 1] != 0 and not 0xD0 <= data[place + 1] <= 0xD7:
            return place
        place += 2
    return len(data)
