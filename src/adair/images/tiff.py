"""Directories of TIFF files, classic and BigTIFF (TIFF 6.0; BigTIFF has wider counts and offsets)."""

from __future__ import annotations

import contextlib
import io
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from adair.images.scratch import Data

STARTS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
LETTERS = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 7: "c", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q"}
SIZES = {kind: struct.calcsize(letter) for kind, letter in LETTERS.items()} | {5: 8, 10: 8, 18: 8}
MOST_PAGES = 10_000
SUBFILE_TYPE, BITS_PER_SAMPLE, PHOTOMETRIC = 0x00FE, 0x0102, 0x0106
REDUCED = 1  # flag of the subfile type: a smaller copy of another page


@dataclass(frozen=True)
class Entry:
    """One entry of a directory.

    Attributes:
        tag, kind, count: as in the file.
        at: byte where the entry starts.
        value: byte where its value starts.
    """

    tag: int
    kind: int
    count: int
    at: int
    value: int


@dataclass(frozen=True)
class Tiff:
    """A TIFF file; whatever lies outside it raises `struct.error`."""

    data: Data | memoryview

    @cached_property
    def order(self) -> str:
        """Byte order, as `struct` writes it."""
        return self._start[0]

    @cached_property
    def big(self) -> bool:
        """Whether it is a BigTIFF."""
        return self._start[1]

    @cached_property
    def first(self) -> int:
        """Where the directory of the first page lies."""
        return self._offset(8 if self.big else 4)

    @cached_property
    def _start(self) -> tuple[str, bool]:
        if bytes(self.data[:4]) not in STARTS:
            raise struct.error("no TIFF")
        return STARTS[bytes(self.data[:4])]

    def directories(self) -> Iterator[dict[int, Entry]]:
        """Yield the entries of each page by tag."""
        place, seen = self.first, set[int]()
        while place and place not in seen and len(seen) < MOST_PAGES:
            seen.add(place)
            entries, place = self.entries(place)
            yield entries

    def entries(self, place: int) -> tuple[dict[int, Entry], int]:
        """Return the entries of the directory at ``place`` by tag, and where the next one lies, 0 for none."""
        head, size = ("Q", 20) if self.big else ("H", 12)
        (count,) = struct.unpack_from(self.order + head, self.data, place)
        start = place + struct.calcsize(head)
        if start + size * count > len(self.data):
            raise struct.error("the directory is cut off")
        found = [self._entry(start + size * number) for number in range(count)]
        return {entry.tag: entry for entry in found}, self._offset(start + size * count)

    def numbers(self, entry: Entry) -> tuple[int, ...]:
        """The integers of an entry; none for other types."""
        if entry.kind not in (1, 3, 4, 6, 8, 9, 13, 16, 17):
            return ()
        return struct.unpack_from(f"{self.order}{entry.count}{LETTERS[entry.kind]}", self.data, entry.value)

    def bytes(self, entry: Entry) -> bytes:
        """The value of an entry as it is stored."""
        end = entry.value + entry.count * SIZES.get(entry.kind, 1)
        if end > len(self.data):
            raise struct.error("a value is cut off")
        return bytes(self.data[entry.value : end])

    def set_number(self, entry: Entry, value: int) -> None:
        """Overwrite an integer, in data that can be written to."""
        struct.pack_into(self.order + LETTERS[entry.kind], self.data, entry.value, value)

    def _entry(self, at: int) -> Entry:
        tag, kind, count = struct.unpack_from(self.order + ("HHQ" if self.big else "HHI"), self.data, at)
        value = at + (12 if self.big else 8)
        if count * SIZES.get(kind, 1) > (8 if self.big else 4):
            value = self._offset(value)
        return Entry(tag, kind, count, at, value)

    def _offset(self, place: int) -> int:
        return int(struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, place)[0])


@contextlib.contextmanager
def opened(file: BinaryIO) -> Iterator[Tiff]:
    """Give the TIFF in a file that is open for reading and writing, without a copy of it."""
    file.flush()
    if isinstance(file, io.BytesIO):
        with file.getbuffer() as view:
            yield Tiff(view)
    else:
        with mmap.mmap(file.fileno(), 0) as view:
            yield Tiff(view)


def smaller_copies(data: Data) -> list[bool]:
    """For each page whether it is a smaller copy of another one, as thumbnails and the levels of a pyramid are."""
    tiff, found = Tiff(data), list[bool]()
    with contextlib.suppress(struct.error):
        for entries in tiff.directories():
            kind = tiff.numbers(entries[SUBFILE_TYPE])[:1] if SUBFILE_TYPE in entries else ()
            found.append(bool(kind and kind[0] & REDUCED))
    return found


def with_photometric(data: Data, old: int, new: int) -> bytes:
    """Return a TIFF whose pages with the photometric interpretation ``old`` claim to have ``new``."""
    tiff, out = Tiff(data), bytearray(data)
    for entries in tiff.directories():
        entry = entries.get(PHOTOMETRIC)
        if entry and tiff.numbers(entry) == (old,):
            struct.pack_into(tiff.order + LETTERS[entry.kind], out, entry.value, new)
    return bytes(out)
