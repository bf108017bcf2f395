"""Fetching datasets: downloaded, checked, unpacked to a temporary folder, and moved into place when complete."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adair.data.dataset import Dataset, Remote
from adair.data.download import digest, download
from adair.data.unpack import unpack
from adair.errors import AdairError

RECORD = "SOURCE.json"  # next to the images: their origin, licence and checksums
DOWNLOADS = ".downloads"
_SHAPE: dict[str, type] = {"downloads": list, "images": dict}

Progress = Callable[[str, int, int | None], None]  # what is being done, bytes done, all bytes where they are known


@dataclass(frozen=True)
class Outcome:
    """The outcome for one dataset: ``done`` if it is complete and checked; ``text`` is a line for the user."""

    name: str
    done: bool
    text: str


def fetch(entries: Sequence[Dataset], root: Path, progress: Progress, overwrite: bool = False) -> list[Outcome]:
    """Fetch datasets into ``root``; one that is there already is checked instead.

    An archive that several of them share is downloaded once. Archives are deleted when all that need them are in place;
    after an interruption or a failure they stay for the next call.
    """
    outcomes = []
    needed: set[Path] = set()
    for entry in entries:
        try:
            outcomes.append(Outcome(entry.name, True, _fetch_one(entry, root, progress, overwrite)))
        except (AdairError, OSError) as error:
            outcomes.append(Outcome(entry.name, False, str(error)))
            needed |= {_archive(root, remote) for remote in entry.remotes}
    for path in {_archive(root, remote) for entry in entries for remote in entry.remotes} - needed:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty, or not there
        (root / DOWNLOADS).rmdir()
    return outcomes


def _fetch_one(entry: Dataset, root: Path, progress: Progress, overwrite: bool) -> str:
    folder = root / entry.folder
    record = _read_record(folder)
    if folder.exists() and not overwrite:
        return _checked(entry, root, record, progress)
    downloads = [_download(entry, number, root, record, progress) for number in range(len(entry.remotes))]
    aside = root / DOWNLOADS / f"{entry.name}.unpacked"
    shutil.rmtree(aside, ignore_errors=True)  # what a killed process left
    try:
        images: list[str] = []
        for remote, got in zip(entry.remotes, downloads, strict=True):
            progress(f"{entry.name}: unpacking", 0, None)
            images += _unpack(remote, _archive(root, remote), _file_name(got["address"]), aside)
        if entry.count(aside) != entry.images:
            raise AdairError(
                f"{folder}: not made: {len(images)} images were published where {entry.images * len(entry.folders)} "
                f"belong; look at {entry.address} and put the images there yourself"
            )
        facts = {
            "dataset": entry.name,
            "licence": entry.licence,
            "address": entry.address,
            "fetched": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "downloads": downloads,
            "images": {image.removeprefix(f"{entry.folder}/"): digest(aside / image) for image in sorted(images)},
        }
        (aside / entry.folder / RECORD).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        _replace(aside / entry.folder, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return f"{len(images)} images in {folder}; licence: {entry.licence}"


def _download(entry: Dataset, number: int, root: Path, record: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Have the archive of a remote on the disk and be sure of it; returns what to record."""
    remote, path = entry.remotes[number], _archive(root, entry.remotes[number])
    of = f" {number + 1} of {len(entry.remotes)}" if len(entry.remotes) > 1 else ""
    if not path.exists():
        download(
            remote.addresses,
            path,
            lambda done, total: progress(f"{entry.name}{of}", done, total or remote.size),
            remote.size,
        )
    progress(f"{entry.name}{of}: checking", 0, None)
    got = {"address": remote.addresses[0], "bytes": path.stat().st_size, "sha256": digest(path)}
    kind, _, wanted = (remote.checksum or "").partition(":")
    if wanted and digest(path, kind) != wanted:
        path.unlink()
        raise AdairError(f"{path.name}: is not the file that was published ({kind} differs); fetch it again later")
    before = {old.get("address"): old.get("sha256") for old in record.get("downloads", []) if isinstance(old, dict)}
    if not wanted and before.get(got["address"], got["sha256"]) != got["sha256"]:
        path.unlink()
        raise AdairError(
            f"{root / entry.folder / RECORD}: records another checksum of {got['address']}; if you trust what is "
            "there now, delete this file and fetch again"
        )
    return got


def _unpack(remote: Remote, archive: Path, name: str, into: Path) -> list[str]:
    try:
        return unpack(archive, name, remote.take, into)
    except AdairError:
        if remote.checksum is None:  # it may be what arrived that is bad: the next call fetches it anew
            archive.unlink(missing_ok=True)
        raise


def _checked(entry: Dataset, root: Path, record: dict[str, Any], progress: Progress) -> str:
    """What is there already, compared with its record, or counted if it has none."""
    folder = root / entry.folder
    images: dict[str, str] = record.get("images", {})
    if not images:
        count = entry.count(root)
        if count != entry.images:
            raise AdairError(
                f"{folder}: {count or 0} images where {entry.images} belong; replace it with --overwrite or move it"
            )
        return f"there already, in {folder}; not fetched by adair, so only counted"
    broken = []
    progress(f"{entry.name}: checking", 0, None)
    for name, wanted in images.items():
        if not (folder / name).is_file() or digest(folder / name) != wanted:
            broken.append(name)
    if broken:
        raise AdairError(
            f"{folder}: {len(broken)} images are not as they were fetched ({', '.join(broken[:3])}); fetch again with "
            "--overwrite"
        )
    return f"there already, in {folder}; {len(images)} images, all as they were fetched"


def _replace(new: Path, folder: Path) -> None:
    """Move ``new`` to ``folder``; what was there goes only when it is."""
    if not folder.exists():
        new.replace(folder)
        return
    old = new.parent / "old"
    folder.replace(old)
    try:
        new.replace(folder)
    except OSError:
        old.replace(folder)
        raise


def _archive(root: Path, remote: Remote) -> Path:
    """Where a download is kept; remotes with the same address share it."""
    mark = hashlib.sha256(remote.addresses[0].encode()).hexdigest()[:10]
    return root / DOWNLOADS / f"{mark}-{_file_name(remote.addresses[0])}"


def _file_name(address: str) -> str:
    return urlsplit(address).path.rpartition("/")[2] or "download"


def _read_record(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict) and all(isinstance(record.get(key), kind) for key, kind in _SHAPE.items()):
            return record
    return {}
