"""``adair restore`` from the words on the command line to the files on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import adair.restore.restorer as restorer_module
from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.cli.main import main
from adair.cli.restore import SMALL_WORKERS
from adair.images import read_image, write_image
from adair.restore.record import NAME as RECORD
from adair.runtimes import BatchingRuntime
from adair.runtimes.batching import Call
from adair.weights import load_foundation, save_foundation

Restore = Callable[..., int]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name a tiny foundation and two adapters."""
    folder = tmp_path_factory.mktemp("model")
    config = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
    generator = torch.Generator().manual_seed(0)
    network = build_backbone("nafnet", config)
    mark = save_foundation(folder / "foundation.safetensors", "nafnet", config, network.state_dict())
    words = ["--foundation", str(folder / "foundation.safetensors"), "--device", "cpu", "--precision", "fp32"]
    for task in ("denoise", "sr"):
        adapter = create_adapter("merge", network)
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
        path = folder / f"{task}.safetensors"
        save_adapter(path, adapter, foundation_fingerprint=mark, task=task)
        words += ["--adapter", str(path)]
    return words


@pytest.fixture
def restore(model: list[str]) -> Restore:
    return lambda *words: main(["restore", *map(str, words), *model])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two photos, one deeper down, a text file and a stray one."""
    folder = tmp_path / "photos"
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "trip/c.tif"):
        write_image(folder / name, rng.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("not an image either")
    return folder


def tree(folder: Path) -> set[str]:
    """Files in a folder; the record of what was done does not count."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != RECORD}


def test_one_photo_lands_beside_its_source(restore: Restore, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (photos / "a.png").read_bytes()
    assert restore(photos / "a.png", "--task", "denoise") == 0
    result = read_image(photos / "a.denoise.png").pixels
    assert result.shape == (40, 50, 3)
    assert not np.array_equal(result, read_image(photos / "a.png").pixels)
    assert (photos / "a.png").read_bytes() == before
    streams = capsys.readouterr()
    assert "a.denoise.png" in streams.out
    assert streams.err == ""  # no bar, no notes


def test_the_name_of_the_result_decides_its_format(restore: Restore, photos: Path, tmp_path: Path) -> None:
    assert restore(photos / "a.png", "-t", "denoise", "-o", tmp_path / "new" / "x.jpg", "--quality", "90") == 0
    with Image.open(tmp_path / "new" / "x.jpg") as image:
        assert image.format == "JPEG"


def test_super_resolution(restore: Restore, photos: Path) -> None:
    assert restore(photos / "a.png", "-t", "sr") == 0
    assert read_image(photos / "a.sr-x2.png").pixels.shape == (80, 100, 3)
    assert restore(photos / "a.png", "-t", "sr", "--scale", "3") == 0
    assert read_image(photos / "a.sr-x3.png").pixels.shape == (120, 150, 3)


def test_blend_and_strength(restore: Restore, photos: Path) -> None:
    assert restore(photos / "a.png", "-t", "denoise=0.7,sr=0.3", "--scale", "2") == 0
    assert read_image(photos / "a.denoise0.7+sr0.3-x2.png").pixels.shape == (80, 100, 3)
    assert restore(photos / "a.png", "-t", "denoise", "--strength", "0") == 0
    np.testing.assert_array_equal(read_image(photos / "a.denoise-s0.png").pixels, read_image(photos / "a.png").pixels)


def test_one_after_the_other(restore: Restore, photos: Path, tmp_path: Path) -> None:
    for name, words in (("a.png", ["-t", "denoise > sr"]), ("b.png", ["-t", "denoise", "-t", "sr"])):
        assert restore(photos / "a.png", *words, "-o", tmp_path / name) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert read_image(tmp_path / "a.png").pixels.shape == (80, 100, 3)


def test_a_result_that_is_not_finite_is_no_file(
    restore: Restore, model: list[str], photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = load_foundation(model[1])
    adapter = create_adapter("merge", network.model)
    for parameter in adapter.parameters():
        parameter.data.fill_(60000.0)
    path = tmp_path / "huge.safetensors"
    save_adapter(path, adapter, foundation_fingerprint=network.fingerprint, task="huge")
    assert restore(photos / "a.png", "-t", "huge", "--adapter", path, "-o", tmp_path / "out.png") == 2
    assert not (tmp_path / "out.png").exists()
    assert "'huge': the network returned NaN or infinity" in capsys.readouterr().err


def test_ensemble(restore: Restore, photos: Path, tmp_path: Path) -> None:
    for name, words in (("one.png", []), ("eight.png", ["--ensemble"])):
        assert restore(photos / "a.png", "-t", "denoise", "-o", tmp_path / name, *words) == 0
    one, eight = (read_image(tmp_path / name).pixels.astype(int) for name in ("one.png", "eight.png"))
    assert one.shape == eight.shape
    assert np.abs(one - eight).mean() > 0.5


def test_a_folder_keeps_its_tree(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "out", "--recursive") == 0
    assert tree(tmp_path / "out") == {"a.png", "b.jpg", "trip/c.tif"}
    assert "notes.txt: skipped" in capsys.readouterr().err


def test_without_recursive_only_the_folder_itself(restore: Restore, photos: Path, tmp_path: Path) -> None:
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == {"a.png", "b.jpg"}


def test_results_are_not_restored_again(restore: Restore, photos: Path, tmp_path: Path) -> None:
    assert restore(photos, "-t", "denoise") == 0
    first = tree(photos)
    assert restore(photos, "-t", "denoise", "--overwrite") == 0
    assert tree(photos) == first
    inside = photos / "out"
    assert restore(photos, "-t", "denoise", "-o", inside, "-r") == 0
    assert restore(photos, "-t", "denoise", "-o", inside, "-r", "--overwrite") == 0
    assert tree(inside) == {"a.png", "b.jpg", "trip/c.tif"}


def test_a_folder_of_nothing_but_results_says_so(
    restore: Restore, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(photos, "-t", "denoise") == 0
    for source in (photos / "a.png", photos / "b.jpg"):
        source.unlink()
    assert restore(photos, "-t", "denoise") == 2
    assert f"{photos}: all 2 images in it are results of earlier runs" in capsys.readouterr().err
    assert restore(*photos.glob("*.denoise.*"), "-t", "denoise") == 0  # as the message recommends


def test_a_stray_file_is_named_and_the_rest_is_written(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "0.png").write_text("text")
    (photos / "half.jpg").write_bytes((photos / "b.jpg").read_bytes()[:900])
    (photos / "zero.png").write_bytes(b"")
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "out") == 1
    assert tree(tmp_path / "out") == {"a.png", "b.jpg"}
    errors = capsys.readouterr().err.splitlines()
    for name in ("0.png", "half.jpg", "zero.png"):
        assert sum(name in line for line in errors) == 1
    assert errors[-1].endswith("5 files: 2 restored, 3 failed")


def test_existing_results_are_kept_unless_told_otherwise(
    restore: Restore, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = photos / "a.denoise.png"
    target.write_bytes(b"precious")
    assert restore(photos / "a.png", photos / "b.jpg", "-t", "denoise") == 1
    assert target.read_bytes() == b"precious"
    assert (photos / "b.denoise.jpg").is_file()
    assert "--overwrite" in capsys.readouterr().err
    assert restore(photos / "a.png", "-t", "denoise", "--overwrite") == 0
    assert read_image(target).pixels.shape == (40, 50, 3)


def test_two_sources_of_one_result_are_refused_before_anything_is_written(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(photos / "trip" / "a.png", read_image(photos / "a.png").pixels)
    assert restore(photos / "a.png", photos / "trip" / "a.png", "-t", "denoise", "-o", tmp_path / "out") == 2
    assert "would both be written there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert restore(photos / "a.png", photos / "a.png", "-t", "denoise", "-o", tmp_path / "out") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.png", "-t", "denoise"], "none.png: not found"),
        (["a.png", "-t", "denois"], "did you mean 'denoise'?"),
        (["a.png", "-t", "denoise,sr"], "write 'denoise > sr' for one after the other, or 'denoise=0.5,sr=0.5'"),
        (["a.png", "-t", "denoise=2"], "strength 2 is above 1"),
        (["a.png", "-t", "sr", "--scale", "5"], "scale 5: task 'sr' offers 2, 3, 4"),
        (["a.png", "-t", "denoise", "--strength", "2"], "strength 2.0 is outside 0..1"),
        (["a.png", "-t", "denoise", "--quality", "0"], "quality 0 is outside 1..100"),
        (["a.png", "-t", "denoise", "-o", "x.gif"], "unknown image extension '.gif'"),
        (["a.png", "b.jpg", "-t", "denoise", "-o", "x.png"], "give a folder"),
        (["empty", "-t", "denoise"], "empty: no images in this folder"),
        (["a.png", "-t", "denoise", "--max-megapixels", "0.001"], "more than 0.001 megapixels"),
        (["a.png", "-t", "denoise", "--max-megapixels", "nan"], "--max-megapixels nan: give a number"),
        (["a.png", "-t", "denoise", "--adapter", "a.png"], "a.png"),
        (["a.png", "-t", "denoise", "--format", "gif"], "adair: format 'gif': cannot be written; use png, jpg"),
        (["a.png", "-t", "denoise", "--name", "{task}{ext}"], "use {stem}, {task} and {ext}"),
        (["a.png", "-t", "denoise", "--name", "{stem.__class__}"], "use {stem}, {task} and {ext}"),
        (["a.png", "-t", "denoise", "--name", "../{stem}{ext}"], "name '../{stem}{ext}': has a slash"),
        (["a.png", "-t", "denoise", "--name", "{stem}-x"], "name '{stem}-x': ends in no extension; end it in {ext}"),
        (["a.png", "-t", "auto,denoise"], "task 'auto' chooses adapters and strengths itself; use it alone"),
        (["a.png", "-t", "denoise", "--workers", "0"], "workers 0: give 1 to 64"),
        (["a.png", "-t", "denoise", "--overwrite", "--skip-existing"], "mutually exclusive"),
        (["a.png", "-t", "denoise", "-o", "s3://x/y.png"], "s3://x/y.png: is an address; --cluster ray restores"),
        (["s3://b/x", "-t", "denoise"], "s3://b/x: is an address; --cluster ray restores"),
        (["gs://b/*.png", "-t", "denoise"], "gs://b/*.png: is an address; --cluster ray restores"),
        (["https://example.org/p.jpg", "-t", "denoise"], "https://example.org/p.jpg: is an address; download"),
        (
            ["a.png", "-t", "denoise", "-o", "https://example.org/"],
            "https://example.org/: is an address, where nothing",
        ),
        (["file:///a.png", "-t", "denoise"], "file:///a.png: is an address; give the path alone"),
        (["a.png", "-t", "denoise", "-o", "a.png", "--overwrite"], "a.png: is the file to read; the result would"),
        (["a.png", "-t", "denoise", "-o", ".", "--overwrite"], "a.png: is the file to read; the result would"),
        (
            [".", "-t", "denoise", "-o", "../photos", "-r", "--overwrite"],
            "a.png: is the file to read; the result would",
        ),
        (["a.png"], "--task"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    restore: Restore,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(photos)
    (photos / "empty").mkdir()
    before = tree(photos)
    assert restore(*words) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert tree(photos) == before


def test_an_unwritable_output_fails_in_one_line(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert restore(photos / "a.png", "-t", "denoise", "-o", tmp_path / "file" / "out.png") == 2
    errors = capsys.readouterr().err
    assert "out.png: cannot be written" in errors
    assert errors.count("\n") == 1


def test_a_name_that_is_too_long_is_one_line_with_a_remedy(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = photos / f"{'x' * 245}.png"  # its own name fits, that of its result does not
    (photos / "a.png").rename(long)
    for source, code in ((long, 2), (photos, 1)):
        assert restore(source, "-t", "denoise") == code
        error = capsys.readouterr().err
        assert "denoise.png: cannot be written: the name is too long for this disk; choose a shorter one" in error
        assert "Errno" not in error
    assert (photos / "b.denoise.jpg").exists()


def test_ctrl_c_in_the_middle_keeps_what_is_finished(
    restore: Restore, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    genuine, calls = restorer_module.Restorer.run, []

    def interrupted(self: restorer_module.Restorer, *arguments: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return genuine(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(restorer_module.Restorer, "run", interrupted)
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "out", "--workers", "1") == 130  # one after the other
    assert tree(tmp_path / "out") == {"a.png"}
    assert "interrupted" in capsys.readouterr().err


def test_depth_alpha_and_tiles_pass_through(restore: Restore, photos: Path) -> None:
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 65536, (150, 170, 3), dtype=np.uint16)
    Image.fromarray(rng.integers(0, 256, (150, 170, 2), dtype=np.uint8), mode="LA").save(photos / "la.png")
    write_image(photos / "deep.tif", deep)
    assert restore(photos / "deep.tif", photos / "la.png", "-t", "denoise", "--tile", "128") == 0
    assert read_image(photos / "deep.denoise.tif").pixels.dtype == np.uint16
    result = read_image(photos / "la.denoise.png")
    assert result.pixels.shape == (150, 170, 1)
    assert result.alpha is not None
    np.testing.assert_array_equal(result.alpha, read_image(photos / "la.png").alpha)


def test_nothing_is_left_behind(restore: Restore, photos: Path) -> None:
    restore(photos, "-t", "denoise", "-r")
    assert not [name for _, _, names in os.walk(photos) for name in names if name.endswith(".part")]


def test_started_again_it_does_only_what_is_missing_or_has_changed(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (photos, "-o", out, "-r")
    assert restore(*words, "-t", "denoise") == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    (out / "b.jpg").unlink()
    capsys.readouterr()
    assert restore(*words, "-t", "denoise") == 0
    streams = capsys.readouterr()
    assert [line.split(" -> ")[0] for line in streams.out.splitlines()] == [str(photos / "b.jpg")]
    assert "3 files: 1 restored, 2 already done" in streams.err
    assert (out / "a.png").stat().st_mtime_ns == before[out / "a.png"]

    write_image(photos / "a.png", np.zeros((20, 30, 3), np.uint8), overwrite=True)  # the source is another one now
    assert restore(*words, "-t", "denoise") == 0
    assert read_image(out / "a.png").pixels.shape == (20, 30, 3)

    capsys.readouterr()
    assert restore(*words, "-t", "denoise", "--strength", "0") == 0  # other settings: all of them
    assert len(capsys.readouterr().out.splitlines()) == 3
    np.testing.assert_array_equal(read_image(out / "trip/c.tif").pixels, read_image(photos / "trip/c.tif").pixels)

    (out / "a.png").write_bytes(b"painted over by hand")
    assert restore(*words, "-t", "denoise") == 1
    assert (out / "a.png").read_bytes() == b"painted over by hand"
    assert restore(*words, "-t", "denoise", "--skip-existing") == 0
    assert (out / "a.png").read_bytes() == b"painted over by hand"
    assert restore(*words, "-t", "denoise", "--overwrite") == 0
    assert read_image(out / "a.png").pixels.shape == (20, 30, 3)


def test_a_dry_run_writes_nothing(restore: Restore, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(photos)
    assert restore(photos, "-t", "denoise", "--dry-run") == 0
    assert tree(photos) == before
    assert not (photos / RECORD).exists()
    assert f"{photos / 'a.png'} -> {photos / 'a.denoise.png'}" in capsys.readouterr().out


def test_a_line_of_json_for_each_file(
    restore: Restore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "zero.png").write_bytes(b"")
    words = (photos, "-t", "denoise", "-o", tmp_path / "out", "--json")
    assert restore(*words) == 1
    a, b, zero = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (a["source"], a["target"]) == (str(photos / "a.png"), str(tmp_path / "out" / "a.png"))
    assert a["status"] == "done" and a["megapixels"] == 0.002 and a["seconds"] > 0 and a["notes"] == []
    assert b["status"] == "done"
    assert zero["status"] == "failed" and "zero.png" in zero["error"]
    assert restore(*words) == 1
    assert [json.loads(line)["status"] for line in capsys.readouterr().out.splitlines()] == ["skipped"] * 2 + ["failed"]


def test_names_and_formats_of_results(restore: Restore, photos: Path, tmp_path: Path) -> None:
    assert restore(photos, "-t", "denoise", "--format", "webp", "-o", tmp_path / "out") == 0
    assert tree(tmp_path / "out") == {"a.webp", "b.webp"}
    assert restore(photos / "a.png", "-t", "denoise", "--name", "{task} of {stem}{ext}") == 0
    assert (photos / "denoise of a.png").is_file()


def test_several_files_at_a_time_give_the_same(restore: Restore, photos: Path, tmp_path: Path) -> None:
    for number in range(6):
        write_image(photos / f"{number}.png", np.full((10 + number, 20, 3), 40 * number, np.uint8))
    (photos / "zero.png").write_bytes(b"")
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "one") == 1
    assert restore(photos, "-t", "denoise", "-o", tmp_path / "four", "--workers", "4") == 1
    assert tree(tmp_path / "one") == tree(tmp_path / "four")
    for name in tree(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "four" / name).read_bytes()


def test_small_files_go_through_the_network_in_batches_of_eight_by_default(
    restore: Restore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    take = BatchingRuntime._take

    def watched(runtime: BatchingRuntime) -> list[Call]:
        taken.append(len(calls := take(runtime)))
        return calls

    monkeypatch.setattr(BatchingRuntime, "_take", watched)
    for number in range(40):
        write_image(tmp_path / "in" / f"{number}.png", np.full((32, 32, 3), 5 * number, np.uint8))
    assert restore(tmp_path / "in", "-t", "denoise", "-o", tmp_path / "one", "--workers", "1") == 0
    assert taken == []
    assert restore(tmp_path / "in", "-t", "denoise", "-o", tmp_path / "out") == 0
    assert sum(taken) == 40 and 1 < max(taken) <= 8
    assert SMALL_WORKERS == 16


def test_results_of_other_tasks_are_not_restored_either(restore: Restore, photos: Path) -> None:
    for words in (["-t", "denoise"], ["-t", "denoise=0.7,sr=0.3"], ["-t", "denoise > sr", "--strength", "0.5"]):
        assert restore(photos, *words) == 0
    expected = {"a.denoise", "a.denoise0.7+sr0.3-x2", "a.denoise_sr-x2-s0.5"}
    assert {Path(name).stem for name in tree(photos) if name.startswith("a.")} == {"a", *expected}
    several = sorted(photos.glob("a*.png"))  # as a shell writes a*.png out
    assert restore(*several, "-t", "sr", "--scale", "3") == 0
    assert {Path(name).stem for name in tree(photos) if name.startswith("a.")} == {"a", *expected, "a.sr-x3"}
    assert restore(photos / "a.denoise.png", "-t", "sr") == 0  # asked for by name
    assert (photos / "a.denoise.sr-x2.png").is_file()
