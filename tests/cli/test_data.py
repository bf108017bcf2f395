"""``adair data``: the list for people and programs, fetching, and exit codes."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from adair.cli.main import main
from adair.data import DATASETS, Dataset, Remote, catalogue

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    """A dataset of one photo in the catalogue, and the server that has it; ``Gone`` is one that the server has not."""
    folder = tmp_path / "web"
    folder.mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", PNG)
    (folder / "photos.zip").write_bytes(buffer.getvalue())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    entries = {}
    for name, file in (("Photos", "photos.zip"), ("Gone", "gone.zip")):
        remote = Remote((f"{base}/{file}",), ((r"(.+\.png)", rf"{name}/\1"),))
        entries[name] = Dataset(name, "test", "one photo", 1, "CC0", base, (remote,))
    monkeypatch.setattr(catalogue, "DATASETS", entries)
    yield entries["Photos"]
    server.shutdown()
    thread.join()
    server.server_close()


def test_list_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Set5").mkdir()
    for number in range(5):
        (tmp_path / "Set5" / f"{number}.png").touch()
    assert main(["data", "list", "--into", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line for line in text.splitlines() if line and not line.startswith(" ")}
    assert set(DATASETS) <= set(rows)
    assert "complete" in rows["Set5"] and "complete" not in rows["Set14"]
    assert "3.53 GB" in rows["DIV2K"] and "published" in rows["DIV2K"] and "first fetch" in rows["Kodak24"]
    assert "academic research only (ETH Zurich)" in text


def test_list_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--into", str(tmp_path), "--json"]) == 0
    facts = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["datasets"]}
    assert set(facts) == set(DATASETS)
    assert facts["Rain100L"]["folders"] == ["Rain100L/input", "Rain100L/target"]
    assert facts["Rain100L"]["present"] is None and facts["Kodak24"]["bytes"] is None
    assert facts["DIV2K"]["downloads"][0]["checksum"].startswith("sha256:")


def test_fetch_then_check(photos: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "fetch", "photos", "Photos", "--into", str(tmp_path / "data")]
    assert main(words) == 0
    assert capsys.readouterr().out == f"Photos: 1 images in {tmp_path / 'data' / 'Photos'}; licence: CC0\n"
    assert (tmp_path / "data" / "Photos" / "a.png").read_bytes() == PNG
    assert main(words) == 0
    assert "all as they were fetched" in capsys.readouterr().out
    assert main([*words, "--overwrite"]) == 0


def test_exit_codes(photos: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = ["--into", str(tmp_path / "data")]
    assert main(["data", "fetch", "Gone", "Photos", *into]) == 1
    shown = capsys.readouterr()
    assert "Photos: 1 images" in shown.out
    assert shown.err.startswith("adair: Gone: ") and "404" in shown.err and shown.err.count("\n") == 1
    assert main(["data", "fetch", "Gone", *into]) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fetch", "Urban10"], "did you mean Urban100?"),
        (["fetch"], "Missing argument"),
        ([], "Missing command"),
        (["steal"], "No such command"),
    ],
)
def test_mistakes_are_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1
