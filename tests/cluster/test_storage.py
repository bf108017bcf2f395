"""Folders wherever they are: listed, read, written so that files appear complete."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from adair.cluster.storage import Storage, _time
from adair.errors import AdairError, InputError


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "photos")
    fsspec.filesystem("memory").store.clear()
    return "memory://bucket/photos"


def test_what_is_written_is_listed_and_read(url: str) -> None:
    storage = Storage(url)
    assert storage.list() == {} and storage.find("a.png") is None
    storage.write("a.png", b"one")
    storage.write("deep/er/b.png", b"three")
    storage.write(".hidden/c.png", b"x")
    storage.write(".state", b"y")
    entries = storage.list()
    assert {name: entry.size for name, entry in entries.items()} == {"a.png": 3, "deep/er/b.png": 5}
    assert list(storage.list(recursive=False)) == ["a.png"]
    assert storage.read("deep/er/b.png") == b"three"
    found = storage.find(".state")
    assert found is not None and found.size == 1
    assert all(entry.modified > 0 for entry in entries.values())
    storage.write("a.png", b"twice")
    assert storage.read("a.png") == b"twice"


def test_whether_one_folder_is_in_another(url: str) -> None:
    storage = Storage(url)
    assert Storage(f"{url}/deep/out").place_in(storage) == "deep/out/"
    for other in (url, f"{url}2", url.rpartition("/")[0]):
        assert Storage(other).place_in(storage) is None
    root = "memory://" if url.startswith("memory") else "/"
    assert Storage(url).place_in(Storage(root)) == url.removeprefix("memory:").strip("/") + "/"
    assert Storage("memory://x").place_in(Storage("/")) is None


def test_only_regular_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "b.png")
    assert list(Storage(str(tmp_path)).list()) == ["a.png"]


def test_errors_name_the_url(url: str) -> None:
    with pytest.raises(AdairError, match=r"none\.png: cannot be read"):
        Storage(url).read("none.png")


def test_unknown_protocols() -> None:
    with pytest.raises(InputError, match="nonsense://x: cannot be opened"):
        Storage("nonsense://x")


def test_times_in_all_their_forms() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    for facts in ({"mtime": moment.timestamp()}, {"LastModified": moment}, {"updated": "2026-01-02T00:00:00+00:00"}):
        assert _time(facts) == moment.timestamp()
    assert _time({}) == _time({"updated": "yesterday"}) == 0
