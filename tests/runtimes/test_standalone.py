"""The runner of one file: tiles as AdaIR lays them, any kind of array, and nothing of AdaIR needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.restore import tiling
from adair.runtimes import standalone
from adair.runtimes.enlarge import Enlarge
from adair.runtimes.onnx_model import to_onnx


@pytest.fixture(scope="module")
def doubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that only enlarges, so that every seam would show."""
    path = tmp_path_factory.mktemp("onnx") / "x2.onnx"
    model = to_onnx(torch.nn.Sequential(Enlarge(2)), metadata={"adair": json.dumps({"scale": 2, "task": "x2"})})
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("length", [1, 200, 512, 700, 1111, 3000])
@pytest.mark.parametrize("tile", [128, 256, 512, 1000])
def test_tiles_lie_where_the_restorer_lays_them(length: int, tile: int) -> None:
    overlap = tiling.overlap_of(tile)
    spans = tiling.split(length, tile, overlap)
    assert standalone.split(length, tile) == spans
    for number, span in enumerate(spans):
        expected = tiling.fade(span, length, overlap).numpy()
        np.testing.assert_allclose(standalone.weights(spans, number, 1), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(320, 480), (2000, 3000), (33, 5000), (4000, 6000)])
def test_tiles_are_as_large_as_the_restorer_makes_them(size: tuple[int, int]) -> None:
    assert standalone.choose_tile(*size, 600_000) == tiling.choose_tile(*size, 600_000)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("length", [97, 513, 770, 1500])
def test_weights_add_up_to_one_everywhere(scale: int, exact: bool, length: int) -> None:
    cell = 32 // np.gcd(32, scale)
    spans = standalone.split(length, 256, scale, cell, exact)
    total = np.zeros(length * scale)
    for number, (start, stop) in enumerate(spans):
        assert start % cell == 0 and stop - start <= 256
        total[start * scale : stop * scale] += standalone.weights(spans, number, scale)
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(300, 410, 3), (150, 140)])
def test_types_come_back_and_tiles_leave_no_seam(doubled: Path, dtype: type, shape: tuple[int, ...]) -> None:
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    image = (np.random.default_rng(0).random(shape) * white).astype(dtype)
    model = standalone.Model(doubled)
    seen: list[tuple[int, int]] = []
    tiled = model.restore(image, tile=256, progress=lambda done, total: seen.append((done, total)))
    whole = model.restore(image)
    assert tiled.dtype == dtype and tiled.shape == (shape[0] * 2, shape[1] * 2, *shape[2:])
    np.testing.assert_allclose(tiled / white, whole / white, atol=1 / white + 1e-6)
    assert seen[-1] == (len(seen), len(seen)) and len(seen) > 1


def test_bad_arrays_are_refused(doubled: Path) -> None:
    model = standalone.Model(doubled)
    with pytest.raises(ValueError, match=r"shape \(2, 2, 4\)"):
        model.restore(np.zeros((2, 2, 4), np.uint8))
    with pytest.raises(ValueError, match="int32 has no known white"):
        model.restore(np.zeros((2, 2, 3), np.int32))


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_gray_photos_keep_their_levels(
    doubled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.png"
    Image.fromarray(np.full((20, 30), 30_000, f"{order}u2")).save(source)
    monkeypatch.setattr(sys, "argv", ["adair_onnx.py", str(doubled), str(source), str(target)])
    assert standalone.main() == 0
    with Image.open(target) as result:
        assert result.mode == "I;16" and result.size == (60, 40)
        np.testing.assert_allclose(np.asarray(result), 30_000, atol=1)


@pytest.mark.parametrize(("dtype", "mode"), [("i4", "I"), ("f4", "F")])
def test_deeper_photos_are_refused(
    doubled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dtype: str,
    mode: str,
) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    Image.fromarray(np.full((20, 30), 30_000, dtype)).save(source)
    monkeypatch.setattr(sys, "argv", ["adair_onnx.py", str(doubled), str(source), str(target)])
    with pytest.raises(SystemExit, match="2"):
        standalone.main()
    assert capsys.readouterr().err == f"{source}: pixels of Pillow's mode {mode}; save it with 8 or 16 bits\n"
    assert not target.exists()


def test_it_runs_alone(doubled: Path, tmp_path: Path) -> None:
    """Copied elsewhere, without AdaIR in reach: the command restores a photo with alpha."""
    script = tmp_path / "adair_onnx.py"
    script.write_bytes(Path(standalone.__file__).read_bytes())
    Image.new("RGBA", (30, 20), (10, 200, 30, 99)).save(tmp_path / "in.png")
    code = (
        "import runpy, sys; sys.modules['adair'] = sys.modules['torch'] = None; "
        f"sys.argv = ['adair_onnx.py', {str(doubled)!r}, 'in.png', 'out.png']; runpy.run_path('adair_onnx.py', "
        "run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    with Image.open(tmp_path / "out.png") as result:
        assert result.size == (60, 40) and result.mode == "RGBA"
        assert result.getpixel((30, 20)) == (10, 200, 30, 99)
