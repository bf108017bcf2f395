"""Graphs that were prepared: PyTorch's picture without PyTorch, and a cache that never stands in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main
from adair.images import ImageFile
from adair.restore import RestoreOptions, Restorer, prepared
from adair.restore.restoration import FileRestorer

WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from adair.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 52, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def test_the_second_run_needs_no_pytorch(photo: Path, tmp_path: Path) -> None:
    words = ["restore", str(photo), "-t", "denoise", "--runtime", "onnxruntime", "--overwrite", "-o"]
    assert main([*words, str(tmp_path / "first.png")]) == 0
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words, str(tmp_path / "second.png")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "first.png") as first, Image.open(tmp_path / "second.png") as second:
        assert np.abs(np.asarray(first).astype(int) - np.asarray(second)).max() <= 1
    # What is done is recognised, whichever way it was made.
    folder = [*words[:1], str(tmp_path), *words[2:-2], "-o", str(tmp_path / "out")]
    assert main(folder) == 0
    for graph in (tmp_path / "cache" / "adair" / "graphs").glob("*.onnx"):
        graph.write_bytes(b"damaged")
    assert main(folder) == 0


def test_what_needs_pytorch_has_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = prepared.place(RestoreOptions("denoise"))
    assert place and place.graph.is_relative_to(tmp_path) and place.load() is None
    assert prepared.place(RestoreOptions("denoising")) == place
    assert prepared.place(RestoreOptions("dejpeg")) != place
    with monkeypatch.context() as later:
        later.setattr(prepared, "GRAPHS", prepared.GRAPHS + 1)
        assert prepared.place(RestoreOptions("denoise")) != place  # a graph of earlier code is not used any more
    for options in (
        RestoreOptions("auto"),
        RestoreOptions("dejpeg > denoise"),
        RestoreOptions("sr"),
        RestoreOptions("denoise", strength=0.5),
        RestoreOptions("denoise", ensemble=True),
    ):
        assert prepared.place(options) is None


def test_gray_and_sixteen_bits(photo: Path, tmp_path: Path) -> None:
    restorer = Restorer.load(device="cpu", precision="fp32")
    main(["restore", str(photo), "-t", "dejpeg", "--runtime", "onnxruntime", "-o", str(tmp_path / "out.png")])
    place = prepared.place(RestoreOptions("dejpeg"))
    assert place
    ready: FileRestorer | None = place.load()
    assert ready and ready.check(RestoreOptions("dejpeg")) == "dejpeg"
    pixels = np.random.default_rng(0).integers(0, 65536, (30, 33, 1)).astype(np.uint16)
    result = ready.run(ImageFile(pixels), RestoreOptions("dejpeg", tile=0)).image.pixels
    expected = restorer.restore(ImageFile(pixels), "dejpeg").pixels
    assert result.shape == expected.shape and result.dtype == np.uint16
    assert np.abs(result.astype(int) - expected).max() <= 20
