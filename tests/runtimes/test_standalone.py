"""The runner of one file: tiles as AdaIR lays them, any kind of array, and nothing of AdaIR needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.images import write_image
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


@pytest.mark.parametrize("dtype", ["i4", "f4"])
def test_deeper_photos_are_refused(
    doubled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dtype: str,
) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    Image.fromarray(np.full((20, 30), 30_000, dtype)).save(source)
    monkeypatch.setattr(sys, "argv", ["adair_onnx.py", str(doubled), str(source), str(target)])
    with pytest.raises(SystemExit, match="2"):
        standalone.main()
    assert capsys.readouterr().err.startswith(f"{source}: 16-bit colour or 32-bit pixels")
    assert not target.exists()


Run = Callable[..., str]


@pytest.fixture
def run(doubled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command on files in an own folder; returns what it says, beginning with its status."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str, model: str | None = None) -> str:
        monkeypatch.setattr(sys, "argv", ["adair_onnx.py", model or str(doubled), *words])
        try:
            status: object = standalone.main()
        except SystemExit as stopped:
            status = stopped.code
        return f"{status} {capsys.readouterr().err}"

    return call


def opened(name: str) -> Image.Image:
    with Image.open(name) as image:
        image.load()
        return image


def test_nothing_is_replaced_unasked(run: Run) -> None:
    Image.new("RGB", (30, 20), (10, 200, 30)).save("in.png")
    before = Path("in.png").read_bytes()
    assert run("in.png", "in.png") == "2 in.png: exists; choose another name, or replace it with --overwrite\n"
    assert Path("in.png").read_bytes() == before
    assert run("in.png", "in.png", "--overwrite") == "0 "
    assert opened("in.png").size == (60, 40) and sorted(os.listdir()) == ["in.png"]


def test_wrong_files_get_a_line(run: Run) -> None:
    Image.new("RGB", (30, 20)).save("in.png")
    Path("no.png").write_text("text")
    assert run("gone.png", "out.png") == "2 gone.png: not found\n"
    assert run("in.png", "out.png", model="gone.onnx") == "2 gone.onnx: not found\n"
    assert "is not a file that 'adair export" in run("in.png", "out.png", model="no.png")
    assert run("no.png", "out.png").startswith("2 cannot identify image file")
    assert run("in.png", "out.xyz").startswith("2 out.xyz: not a format that Pillow writes")
    assert sorted(os.listdir()) == ["in.png", "no.png"]


def test_what_a_photo_has_is_kept_or_told(run: Run) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a hill"
    Image.new("RGB", (30, 20), (9, 9, 200)).save("in.jpg", exif=exif, icc_profile=b"colours of RGB")
    assert run("in.jpg", "out.jpg") == "0 "
    with Image.open("out.jpg") as result:
        assert result.getexif()[0x010E] == "a hill" and result.info["icc_profile"] == b"colours of RGB"
    Image.new("CMYK", (30, 20)).save("in.tif", icc_profile=b"colours of CMYK")
    assert run("in.tif", "out.png") == "0 " and "icc_profile" not in opened("out.png").info
    Image.new("RGBA", (30, 20), (9, 9, 200, 0)).quantize().save("palette.png")
    assert run("palette.png", "clear.png") == "0 " and opened("clear.png").getchannel("A").getextrema() == (0, 0)
    assert run("palette.png", "flat.jpg") == "0 flat.jpg: JPEG holds no transparency, so it is lost\n"


def test_deep_colour_is_refused(run: Run) -> None:
    write_image("deep.png", np.full((20, 30, 3), 30_001, np.uint16))
    assert run("deep.png", "out.png").startswith("2 deep.png: 16-bit colour") and not Path("out.png").exists()


def test_it_reports_to_nobody(doubled: Path, tmp_path: Path) -> None:
    """Unasked, the library leaves a device's number in the home folder, and sends what it has seen to its maker."""
    code = f"from adair.runtimes.standalone import Model; import numpy; Model({str(doubled)!r})"
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | homes
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.rglob("*")) == []


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
