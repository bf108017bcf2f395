"""``adair inspect``, and ``adair restore --task auto``, with the bundled weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from adair.cli.main import main
from adair.degradations import degrade
from adair.errors import FileFormatError
from adair.images import optional
from adair.restore import read_image, write_image

PHOTO = Path(__file__).resolve().parents[2] / "examples" / "photos"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with clean.png, part of an example photo, and noisy.png."""
    folder = tmp_path_factory.mktemp("inspect")
    clean = read_image(sorted(PHOTO.glob("*.webp"))[0]).pixels[200:392, 200:392]
    write_image(folder / "clean.png", np.ascontiguousarray(clean))
    write_image(folder / "noisy.png", degrade(clean, "noise(sigma=30)", seed=0))
    return folder


def test_json_says_what_is_wrong_and_what_auto_would_do(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files / "noisy.png"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(files / "noisy.png") and found["auto"] == [{"denoise": 1.0}]
    first = found["damage"][0]
    assert (first["kind"], first["task"], first["measure"]) == ("noise", "denoise", "sigma, of 255")
    assert first["probability"] > 0.9 and 22 < first["level"] < 38
    assert {damage["kind"] for damage in found["damage"]} == {"noise", "blur", "resize", "rain", "jpeg"}

    assert main(["inspect", str(files / "clean.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["auto"] == []


def test_people_get_a_table(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files / "noisy.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["damage", "confidence", "level", "undone", "by"]
    assert lines[1].split()[0] == "noise" and lines[1].split()[-1] == "denoise"
    assert lines[-1].startswith("task auto  denoise (noise ")


def test_of_a_folder_each_image_gets_a_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files)]) == 0
    clean, noisy = capsys.readouterr().out.splitlines()
    assert clean == f"{files / 'clean.png'}: nothing to do (no damage found)"
    assert noisy.startswith(f"{files / 'noisy.png'}: denoise (noise ")
    (files / "bad.png").write_bytes(b"no image")
    try:
        assert main(["inspect", str(files / "*.png"), "--json"]) == 1
    finally:
        (files / "bad.png").unlink()
    said = capsys.readouterr()
    assert [json.loads(line)["auto"] for line in said.out.splitlines()] == [[], [{"denoise": 1.0}]]
    assert "bad.png" in said.err and said.err.count("\n") == 1


def test_a_file_that_is_no_image_is_one_line(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "notes.txt").write_text("no image")
    assert main(["inspect", str(files / "notes.txt")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["inspect", str(files / "missing.png")]) == 2
    assert "missing.png" in capsys.readouterr().err


@pytest.mark.parametrize("start", [b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0\0\1\xba"])
def test_a_video_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], start: bytes) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(start + bytes(100))
    for words in (["inspect", video], ["info", video], ["compare", video, video]):
        assert main(list(map(str, words))) == 2
        error = capsys.readouterr().err
        assert "clip.mp4: is a video, not an image; restore it with 'adair restore'" in error
        assert error.count("\n") == 1


def test_the_formats_that_can_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(FileFormatError, match=r"BMP, GIF[^)]*\)") as error:
        read_image(tmp_path / "a.png")
    assert "HEIC" not in str(error.value)
    monkeypatch.setattr(optional, "is_installed", lambda module: module == "pi_heif")
    with pytest.raises(FileFormatError, match=r"BMP, GIF, HEIC\)"):
        read_image(tmp_path / "a.png")


def test_restore_says_what_it_chose(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["restore", str(files / "clean.png"), str(files / "noisy.png"), "--task", "auto", "-o", str(files / "out")]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert f"{files / 'clean.png'}: nothing to do (no damage found)" in said
    assert f"{files / 'noisy.png'}: denoise (noise " in said
    clean, noisy = (read_image(files / name).pixels for name in ("clean.png", "noisy.png"))
    same, better = (read_image(files / "out" / name).pixels for name in ("clean.png", "noisy.png"))
    np.testing.assert_array_equal(same, clean)
    error = np.abs(better.astype(int) - clean).mean()
    assert error < 0.5 * np.abs(noisy.astype(int) - clean).mean()
