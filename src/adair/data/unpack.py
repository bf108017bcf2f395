"""Unpacking archives: only members that match a rule, only image files, only to the rule's destination.

Nothing of an archive is trusted: names that leave their folder, links and devices, members larger than an image can be,
and archives that grow without measure are refused before or while they are read.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from adair.data.dataset import EXTENSIONS
from adair.errors import AdairError

MAX_MEMBER = 2**29  # bytes of one image
MAX_GROWTH = 50  # photos as BMP or TIFF shrink to a third; text and bombs shrink to far less
_CHUNK = 2**20
_SAFE = re.compile(r"[\w+][\w .+@()-]*")  # a path segment: no separators, drives, dots in front or control characters
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"RIFF")


@dataclass(frozen=True)
class _Member:
    """One entry of an archive; ``open`` works until the next one is asked for."""

    name: str
    size: int
    plain: bool
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, name: str, rules: Sequence[tuple[str, str]], into: Path) -> list[str]:
    """Write the members of ``archive`` that ``rules`` take to below ``into``, which is empty.

    Args:
        archive: a zip, a tar, a tar.gz, or one image.
        name: the name that an image has that comes without an archive.
        rules: pairs (regular expression for the whole name, template for the place), as in `Remote`.
        into: the folder to fill; other archives may have put files there before.

    Returns:
        Paths of the written files, relative to ``into``.

    Raises:
        AdairError: a hostile or damaged archive, or two members for one place.
    """
    patterns = [(re.compile(pattern), template) for pattern, template in rules]
    budget = MAX_GROWTH * archive.stat().st_size + _CHUNK
    written: list[str] = []
    try:
        for member in _members(archive, name):
            budget -= max(member.size, 0)
            if budget < 0:
                raise AdairError(f"{archive}: refused: it would unpack to more than {MAX_GROWTH} times its size")
            place = _place(archive, member, patterns)
            if place is None:
                continue
            if (into / place).exists():
                raise AdairError(f"{archive}: refused: two of its files would become {place}")
            _write(archive, member, into / place)
            written.append(place)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise AdairError(f"{archive}: cannot be unpacked ({_reason(error)}); fetch it again") from error
    return written


def _place(archive: Path, member: _Member, patterns: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    """Where a member goes, or None if no rule takes it."""
    name = member.name.removeprefix("./")
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name):
        raise AdairError(f"{archive}: refused: its file {member.name[:80]!r} would leave its folder")
    for pattern, template in patterns:
        if match := pattern.fullmatch(name):
            place = PurePosixPath(match.expand(template))
            if place.suffix.lower() not in EXTENSIONS or not all(_SAFE.fullmatch(part) for part in place.parts):
                raise AdairError(f"{archive}: refused: {member.name[:80]!r} is not a valid name for an image")
            if not member.plain:
                raise AdairError(f"{archive}: refused: {member.name[:80]!r} is a link or a device, not an image")
            if not 0 < member.size <= MAX_MEMBER:
                raise AdairError(
                    f"{archive}: refused: {member.name[:80]!r} has {member.size:,} bytes, which no image has"
                )
            return str(place)
    return None


def _write(archive: Path, member: _Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with member.open() as source, path.open("xb") as file:
        while left > 0 and (chunk := source.read(min(left, _CHUNK))):
            if left == member.size and not chunk.startswith(_IMAGES):
                raise AdairError(f"{archive}: refused: {member.name[:80]!r} is not an image")
            file.write(chunk)
            left -= len(chunk)
        if left or source.read(1):
            raise AdairError(f"{archive}: {member.name[:80]!r} has another size than its archive says; fetch it again")


def _members(archive: Path, name: str) -> Iterator[_Member]:
    """Entries of an archive, in its order; its content decides what it is."""
    with ExitStack() as stack:
        file = stack.enter_context(archive.open("rb"))
        start = file.read(512)
        file.seek(0)
        if start.startswith(b"PK"):
            yield from _zip_members(stack.enter_context(zipfile.ZipFile(file)))
        elif start.startswith(b"\x1f\x8b"):
            yield from _tar_members(cast(IO[bytes], stack.enter_context(gzip.open(file))))
        elif start[257:262] == b"ustar":
            yield from _tar_members(file)
        elif start.startswith(_IMAGES):
            yield _Member(name, archive.stat().st_size, True, lambda: archive.open("rb"))
        else:
            raise AdairError(f"{archive}: is not a zip, tar, tar.gz or image; fetch it again")


def _zip_members(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        if not info.is_dir():
            kind = stat.S_IFMT(info.external_attr >> 16)
            yield _Member(info.filename, info.file_size, kind in (0, stat.S_IFREG), partial(archive.open, info))


def _tar_members(stream: IO[bytes]) -> Iterator[_Member]:
    with tarfile.open(fileobj=_Careful(stream), mode="r:") as archive:
        for info in archive:
            if not info.isdir():
                yield _Member(info.name, info.size, info.isreg(), partial(_opened, archive, info))


def _opened(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return archive.extractfile(info) or io.BytesIO()


class _Careful(io.RawIOBase):
    """A stream that gives no more than a megabyte at once: headers that claim to be larger are not read into memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError("a header of absurd length")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
