"""Downloading one file over HTTP: resumed, retried, from a mirror if needed, and written atomically."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from adair import __version__
from adair.errors import AdairError

TRIES = 4
WAIT = 1.0  # seconds before the second attempt; every further wait is twice as long
TIMEOUT = 30.0  # seconds without a byte
MARGIN = 1.1  # times the size that the catalogue states: more is not the file that it speaks of
LIMIT = 2**28  # bytes of a file whose size nobody states: single images and small archives
RATE, RATE_SECONDS = 2**10, 60.0  # bytes a second that must arrive in every such span of seconds
_CHUNK = 2**18
_PRINTABLE = "".join(map(chr, range(33, 127)))
_ROOM_EVERY = 2**26  # bytes between looks at the free space, where the server does not say how many will come
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that another try may change

Report = Callable[[int, int | None], None]  # bytes that are here, and all there are if the server says so


class _Refused(Exception):
    """This address will not provide the file, even after retries."""


def download(
    addresses: Sequence[str], path: Path, report: Report, expected: int | None = None, limit: int | None = None
) -> None:
    """Download to ``path``. What has arrived stays in ``<path>.part``, so that the next call goes on there.

    A part is gone on with only if the server says that its file is still the same (If-Range with the ETag or the date
    of the first answer); otherwise the download starts anew.

    Args:
        addresses: http or https; each is asked only if those before it failed.
        path: the file to write.
        report: called with the bytes that are here, and with all there are where the server says so.
        expected: bytes as the catalogue states them. No more than `MARGIN` times as many are accepted, and ``limit``
            where it states none, whatever length the server claims or leaves out.
        limit: bytes, `LIMIT` unless given.

    Raises:
        AdairError: one line with what each address answered last, or that the disk is too small.
    """
    most = (limit or LIMIT) if expected is None else int(MARGIN * expected)
    failures = []
    for address in addresses:
        for number in range(TRIES):
            if number:
                time.sleep(WAIT * 2 ** (number - 1))
            try:
                _attempt(address, path, report, most)
                return
            except _Refused as error:
                cause = str(error)
                break
            except (OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
                cause = _cause(error)
        failures.append(f"{address} {cause}")
    raise AdairError(f"{path.name}: not downloaded: {'; '.join(failures)}; try again later, what has arrived is kept")


def digest(path: Path, kind: str = "sha256") -> str:
    """Checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _attempt(address: str, path: Path, report: Report, limit: int) -> None:
    part, note = (path.with_name(f"{path.name}.{ending}") for ending in ("part", "part.json"))
    headers = {"User-Agent": f"adair/{__version__}", "Accept-Encoding": "identity"}
    have = 0
    known = _read_note(note)
    if part.exists() and known.get("address") == address and known.get("version"):
        have = part.stat().st_size
        headers |= {"Range": f"bytes={have}-", "If-Range": known["version"]}
    with _open(address, headers, part) as answer:
        if answer.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise _Refused("sends a web page instead of the file")
        if answer.status == 206:
            start, total = _content_range(answer.headers.get("Content-Range", ""))
            if start != have:
                part.unlink()
                raise ConnectionError("sends another part than it was asked for")
        else:
            have, total = 0, _whole(answer.headers.get("Content-Length"))
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(b"")  # before the note, which must never speak of other bytes than are there
            note.write_text(json.dumps({"address": address, "version": _version(answer.headers)}), encoding="utf-8")
        try:
            _check_size(total or 0, limit)
            _check_room(path, total, have)
            have = _receive(answer, part, have, total, report, limit)
        except _Refused:
            part.unlink(missing_ok=True)  # nothing that could be gone on with
            note.unlink(missing_ok=True)
            raise
    if not part.exists() or part.stat().st_size != have:
        part.unlink(missing_ok=True)  # of no use to either
        raise ConnectionError("was being downloaded to the same place by another program")
    if total is not None and have != total:
        raise ConnectionError(f"broke off at {have:,} of {total:,} bytes")
    part.replace(path)
    note.unlink(missing_ok=True)


def _receive(
    answer: http.client.HTTPResponse, part: Path, have: int, total: int | None, report: Report, limit: int
) -> int:
    """Append the body to ``part``; returns how many bytes it then has."""
    report(have, total)
    since, arrived, looked = time.monotonic(), 0, have
    with part.open("ab") as file:
        while chunk := answer.read1(_CHUNK):  # what is there, so that a slow server is noticed
            have += len(chunk)
            arrived += len(chunk)
            _check_size(have, limit)
            file.write(chunk)
            report(have, total)
            if total is None and have - looked > _ROOM_EVERY:
                looked = have
                _check_room(part, have, have)
            if (elapsed := time.monotonic() - since) > RATE_SECONDS:
                if arrived < RATE * elapsed:
                    raise ConnectionError(f"sent {arrived / elapsed:,.0f} bytes a second, less than {RATE:,}")
                since, arrived = time.monotonic(), 0
    return have


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise _Refused(f"sends more than the {limit:,} bytes that this file may have")


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise _Refused(f"redirects to {scheme or 'nowhere'}, which is not safe")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirect)


def _open(address: str, headers: dict[str, str], part: Path) -> Any:
    try:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise _Refused("is not an http or https address")
        path, query = (quote(text, safe=_PRINTABLE) for text in (parts.path, parts.query))
        encoded = parts._replace(path=path, query=query).geturl()
        return _OPENER.open(urllib.request.Request(encoded, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is longer than the file: start anew
            part.unlink(missing_ok=True)
            raise ConnectionError("has another file than before") from error
        if error.code in _PASSING:
            raise ConnectionError(f"answers {error.code} {error.reason}") from error
        raise _Refused(f"answers {error.code} {error.reason}") from error
    except ValueError as error:  # of urllib, about this address or one that it redirects to
        raise _Refused(f"is not an address that can be asked ({' '.join(str(error).split())})") from error


def _version(headers: Any) -> str | None:
    """What names this version of the file in an If-Range; a weak ETag does not name its bytes."""
    tag: str | None = headers.get("ETag")
    date: str | None = headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else date


def _read_note(note: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return known
    return {}


def _content_range(text: str) -> tuple[int, int | None]:
    """``bytes 100-199/200`` as (100, 200)."""
    span, _, total = text.removeprefix("bytes ").partition("/")
    start = _whole(span.partition("-")[0])
    return (-1 if start is None else start), _whole(total)


def _whole(text: str | None) -> int | None:
    """A length in decimal digits; None where there is none.

    Raises:
        _Refused: more digits than any length has.
    """
    if not text or not (text.isascii() and text.isdecimal()):
        return None
    if len(text) > 18:
        raise _Refused(f"states a length of {len(text):,} digits")
    return int(text)


def _check_room(path: Path, total: int | None, have: int) -> None:
    """The download and its unpacked images, which take about as much, must fit on the disk."""
    need, free = 2 * (total or 0) - have, shutil.disk_usage(path.parent).free
    if need > free:
        raise AdairError(
            f"{path.parent}: {path.name} needs {need / 1e9:.1f} GB there with its images, and {free / 1e9:.1f} GB are "
            "free; make room or choose another disk with --into"
        )


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"does not answer within {TIMEOUT:.0f} s"
    text = " ".join(str(reason).split()) or type(reason).__name__
    if isinstance(error, http.client.HTTPException):
        return f"broke off ({text})"
    return text if isinstance(error, ConnectionError) and not error.errno else f"cannot be reached ({text})"
