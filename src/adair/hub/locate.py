"""From a name to a file on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from adair.data.download import digest, download
from adair.errors import AdairError, FileFormatError, InputError
from adair.hub import cache
from adair.hub.client import fetch_from_hub
from adair.hub.reference import HubReference, Reference, WebReference, is_address, parse_reference
from adair.hub.zoo import zoo_place

LIMIT = 2**28  # bytes of a file that is fetched: fifteen times the bundled foundation
ZOO = "zoo/"
OFFLINE = ("ADAIR_OFFLINE", "HF_HUB_OFFLINE")


@dataclass(frozen=True)
class Located:
    """The file that a name refers to.

    Attributes:
        name: the name.
        path: the file.
        record: its origin; None for local files.
    """

    name: str
    path: Path
    record: cache.Record | None


def locate(name: str | os.PathLike[str]) -> Path:
    """Return the weight file that ``name`` refers to; cached files are not downloaded again.

    Args:
        name: a file; a folder with one ``.safetensors``; ``zoo/dehaze``; ``hf://user/name`` with or without
            ``/file`` and ``@revision``; an https address, which may end in ``#sha256=...``. What exists as a path is
            that path.

    Raises:
        AdairError: nothing there, a file that is too large or not the one of its checksum, no connection, or offline
            mode. A file that does not exist is returned as it is: whoever opens it says so.

    Example:
        >>> locate("scanner.safetensors").name
        'scanner.safetensors'
    """
    return _locate(name, refresh=False).path


def pull(name: str | os.PathLike[str]) -> Located:
    """Download ``name`` even if it is cached; otherwise as `locate`, but the file must exist."""
    located = _locate(name, refresh=not is_offline())
    if not located.path.is_file():
        raise InputError(f"{name}: not found; give a file, a folder, zoo/NAME, hf://user/name or https://...")
    return located


def is_offline() -> bool:
    """Whether the environment forbids network access."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in OFFLINE)


def _locate(name: str | os.PathLike[str], refresh: bool) -> Located:
    text, path = os.fspath(name), Path(name)
    if is_address(text):
        return _fetched(text, refresh)
    if path.is_dir():
        return Located(text, _only(path), None)
    if path.exists() or not text.replace(os.sep, "/").startswith(ZOO) or path.suffix:
        return Located(text, path, None)
    place = zoo_place(text[len(ZOO) :])
    return _fetched(place, refresh) if is_address(place) else Located(text, Path(place), None)


def _only(folder: Path) -> Path:
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        names = ", ".join(path.name for path in files[:12])
        raise InputError(f"{folder}: contains {f'{names}; choose one of them' if files else 'no .safetensors file'}")
    return files[0]


def _fetched(name: str, refresh: bool) -> Located:
    reference = parse_reference(name)
    folder = cache.entry_folder(reference.key)
    found = None if refresh else _cached(reference, folder)
    if found:
        return Located(name, *found)
    if is_offline():
        raise AdairError(
            f"{name}: is not in the cache, and offline mode is on; run 'adair pull {name}' once with a connection "
            f"(offline mode is {', '.join(OFFLINE)} or --offline)"
        )
    try:
        with cache.locked(folder):  # another process may have fetched it while this one waited
            found = None if refresh else _cached(reference, folder)
            return Located(name, *(found or _fetch(name, reference, folder)))
    except OSError as error:
        raise AdairError(f"{folder}: cannot be written ({error.strerror or error}); set ADAIR_CACHE") from error


def _cached(reference: Reference, folder: Path) -> tuple[Path, cache.Record] | None:
    found = cache.find(folder)
    wanted = reference.sha256 if isinstance(reference, WebReference) else None
    return found if found and wanted in (None, found[1].sha256) else None


def _fetch(name: str, reference: Reference, folder: Path) -> tuple[Path, cache.Record]:
    if isinstance(reference, HubReference):
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as aside:
            path, revision = fetch_from_hub(name, reference, Path(aside), LIMIT)
            return cache.keep(folder, path, name, revision)
    arriving = folder / "arriving" / reference.file  # kept for the next attempt if the connection breaks
    arriving.parent.mkdir(exist_ok=True)
    download([reference.address], arriving, lambda done, total: None, limit=LIMIT)
    got = digest(arriving)
    if reference.sha256 not in (None, got):
        arriving.unlink()
        raise FileFormatError(f"{name}: the downloaded file has the checksum {got}; do not use it, ask its author")
    return cache.keep(folder, arriving, name)
