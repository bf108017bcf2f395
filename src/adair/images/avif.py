"""How often an AVIF animation is shown, which Pillow neither reads nor writes.

The file says for how long it is to be shown in all (``mvhd``, and ``tkhd`` of each track), how long one showing takes
(``elst``, the edit list, whose lowest flag says that it is repeated), and leaves the division to the reader (ISO/IEC
14496-12, 8.6.6, and the AVIF specification, section 3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

FOREVER = 2**64 - 1
CONTAINERS = (b"moov", b"trak", b"edts")
REPEATED = 1


def is_sequence(data: bytes) -> bool:
    """Whether an AVIF file is an animation (brand ``avis``)."""
    return b"avis" in data[8 : 8 + min(int.from_bytes(data[:4], "big"), 256)]


def is_deep(data: bytes) -> bool:
    """Whether the pixels of an AVIF animation have more than 8 bits, by its first codec configuration."""
    place = data.rfind(b"av1C", 0, data.find(b"mdat"))
    return place >= 0 and len(data) > place + 6 and bool(data[place + 6] & 0x40)


def plays(data: bytes) -> int:
    """How often an animation is shown; 0 for ever, also where the file does not say."""
    whole = once = 0
    for name, start, _ in _boxes(data, 0, len(data)):
        wide = data[start] == 1
        if name == b"mvhd":
            (whole,) = struct.unpack_from(">Q" if wide else ">I", data, start + (24 if wide else 16))
            whole = FOREVER if whole == (FOREVER if wide else 2**32 - 1) else whole
        elif name == b"elst":
            if not data[start + 3] & REPEATED:
                return 1
            (once,) = struct.unpack_from(">Q" if wide else ">I", data, start + 8)
    return round(whole / once) if once and whole != FOREVER else 0


def with_plays(data: bytes, count: int) -> bytes:
    """Return an animation as libavif writes it, to be shown ``count`` times; 0 for ever, which it says already."""
    out = bytearray(data)
    found = list(_boxes(data, 0, len(data)))
    once = next((struct.unpack_from(">Q", data, start + 8)[0] for name, start, _ in found if name == b"elst"), 0)
    if count < 1 or not once:
        return data
    for name, start, _ in found:
        if name in (b"mvhd", b"tkhd"):
            struct.pack_into(">Q", out, start + (24 if name == b"mvhd" else 28), once * count)
        elif name == b"elst":
            out[start + 3] = REPEATED if count > 1 else 0
    return bytes(out)


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the content and end of each box, those of containers included."""
    while place + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1 and start + 8 <= end:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        stop = end if length == 0 else place + length
        if not start <= stop <= end:
            return
        if name in CONTAINERS:
            yield from _boxes(data, start, stop)
        elif stop - start >= 40 or name == b"elst":
            yield name, start, stop
        place = stop
