"""``adair restore - -o -``, and patterns that the program expands itself."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main
from adair.images import read_image, write_image

Restore = Callable[..., int]


@pytest.fixture
def restore(model_files: Path) -> Restore:
    words = ["--foundation", str(model_files / "foundation.safetensors"), "--device", "cpu", "--precision", "fp32"]
    words += ["--adapter", str(model_files / "denoise.safetensors"), "--task", "denoise"]
    return lambda *given: main(["restore", *map(str, given), *words])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.jpg", "deep/d.png"):
        write_image(tmp_path / "photos" / name, rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    return tmp_path / "photos"


def feed(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_from_pipe_to_pipe_it_is_what_files_give(
    restore: Restore, photos: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name, format in (("a.png", "PNG"), ("c.jpg", "JPEG")):
        feed((photos / name).read_bytes(), monkeypatch)
        assert restore("-") == 0
        piped = capsysbinary.readouterr().out
        assert restore(photos / name, "-o", photos / f"file-{name}") == 0
        assert piped == (photos / f"file-{name}").read_bytes()
        assert Image.open(io.BytesIO(piped)).format == format
        capsysbinary.readouterr()
    assert restore(photos / "a.png", "-o", "-", "--format", "tif") == 0
    assert Image.open(io.BytesIO(capsysbinary.readouterr().out)).format == "TIFF"
    feed((photos / "a.png").read_bytes(), monkeypatch)
    assert restore("-", "-o", photos / "new.webp") == 0
    assert read_image(photos / "new.webp").pixels.shape == (40, 50, 3)
    assert capsysbinary.readouterr().out == b""


@pytest.mark.parametrize(
    ("words", "data", "said"),
    [
        (["-"], b"no image", "standard input: is not an image"),
        (["-", "-"], b"", "stands for one image"),
        (["-", "--json"], b"", "excludes --json"),
        (["-", "--skip-existing", "-o", "c.jpg"], b"", "excludes"),
        (["-", "--codec", "hevc"], b"", "--codec hevc: is for videos"),
        (["a.png", "-o", "new.png", "--codec", "foo"], b"", "--codec foo: is for videos"),
        (["-", "-o", "new.jpg", "--format", "png"], b"", "new.jpg: --format png is another format"),
        (["a.png", "-o", "new.png", "--format", "jpg"], b"", "new.png: --format jpg is another format"),
        (["-", "-o", "c.jpg"], b"", "c.jpg: exists"),
        (["-", "--max-megapixels", "0.000001"], bytes(2**26 + 100), "raise --max-megapixels"),
    ],
)
def test_bad_use_is_one_line(
    restore: Restore, photos: Path, words: list[str], data: bytes, said: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(photos)
    feed(data, monkeypatch)
    assert restore(*words) == 2
    heard = capsys.readouterr()
    assert said in heard.err and heard.err.count("\n") == 1 and heard.out == ""


def test_tiff_options_hold_for_streams(
    restore: Restore, photos: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ("--pyramid", "--bigtiff", "--format", "tif")
    assert restore(photos / "a.png", "-o", photos / "file.tiff", *words) == 0
    capsysbinary.readouterr()
    feed((photos / "a.png").read_bytes(), monkeypatch)
    assert restore("-", "-o", photos / "stream.tif", *words) == 0
    assert restore(photos / "a.png", "-o", "-", *words) == 0
    expected = (photos / "file.tiff").read_bytes()
    assert expected[:4] == b"II+\0"  # BigTIFF
    assert (photos / "stream.tif").read_bytes() == capsysbinary.readouterr().out == expected


def test_a_closed_or_full_stream_is_named(
    restore: Restore, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdin", None)
    assert restore("-", "-o", photos / "new.png") == 2
    assert "standard input is closed" in capsys.readouterr().err
    for stream, said in ((None, "standard output is closed"), (Full(), "standard output: cannot be written")):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream and io.TextIOWrapper(stream))  # type: ignore[type-var]
            assert restore(photos / "a.png", "-o", "-") == 2
        heard = capsys.readouterr().err
        assert said in heard and heard.count("\n") == 1


def test_quoted_patterns(restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(photos / "?.png", "-o", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").glob("*.*g")} == {"a.png", "b.png"}
    assert restore(photos / "**" / "d.*", "-o", tmp_path / "deep") == 0
    assert (tmp_path / "deep" / "d.png").exists()
    (photos / "x[1].png").write_bytes((photos / "a.png").read_bytes())
    assert restore(photos / "x[1].png", "-o", tmp_path / "one.png") == 0  # a name, since there is such a file
    capsys.readouterr()
    assert restore(photos / "*.heif", "-o", tmp_path / "out") == 2
    assert "no file matches" in capsys.readouterr().err
