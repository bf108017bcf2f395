"""``adair restore`` of videos, from the words on the command line to the files on the disk."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adair.cli.main import main
from adair.images import write_image

Restore = Callable[..., int]


@pytest.fixture(scope="session")
def model(make_model: Callable[..., Path]) -> list[str]:
    """Options that name a tiny foundation and two adapters."""
    folder = make_model(dict.fromkeys(("denoise", "sr"), "merge"), levels=1)
    words = ["--foundation", str(folder / "foundation.safetensors"), "--device", "cpu", "--precision", "fp32"]
    for task in ("denoise", "sr"):
        words += ["--adapter", str(folder / f"{task}.safetensors")]
    return words


@pytest.fixture
def restore(model: list[str]) -> Restore:
    return lambda *words: main(["restore", *map(str, words), *model])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve frames of 64x48."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(rng.integers(90, 120, (72, 64), np.uint8), "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def frames(path: Path) -> list[Any]:
    import av

    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def test_a_video_is_restored_next_to_its_source(
    restore: Restore, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(clip, "--task", "denoise") == 0
    result = clip.with_name("clip.denoise.mp4")
    assert len(frames(result)) == 12
    assert not np.array_equal(frames(result)[0], frames(clip)[0])
    assert "clip.denoise.mp4" in capsys.readouterr().out
    assert sorted(path.name for path in clip.parent.iterdir()) == ["clip.denoise.mp4", "clip.mp4"]


@pytest.mark.parametrize(
    ("task", "size"),
    [
        (["-t", "sr", "--scale", "2"], (144, 128)),
        (["-t", "denoise > sr", "--scale", "3", "--strength", "0.5"], (216, 192)),
        (["-t", "denoise=0.6,sr=0.3", "--scale", "1"], (72, 64)),
        (["-t", "denoise", "--colour", "0", "--ensemble"], (72, 64)),
    ],
)
def test_tasks_are_those_of_photos(restore: Restore, clip: Path, task: list[str], size: tuple[int, int]) -> None:
    assert restore(clip, *task, "-o", clip.with_name("out.mp4")) == 0
    assert frames(clip.with_name("out.mp4"))[0].shape == size


def test_existing_results(restore: Restore, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = clip.with_name("out.mp4")
    target.write_bytes(b"mine")
    assert restore(clip, "-t", "denoise", "-o", target) == 2
    assert "exists" in capsys.readouterr().err
    assert restore(clip, "-t", "denoise", "-o", target, "--skip-existing") == 0
    assert target.read_bytes() == b"mine"
    assert restore(clip, "-t", "denoise", "-o", target, "--overwrite", "--dry-run") == 0
    assert target.read_bytes() == b"mine"
    assert restore(clip, "-t", "denoise", "-o", target, "--overwrite") == 0
    assert len(frames(target)) == 12


def test_json_and_codec(restore: Restore, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = clip.with_name("out.mkv")
    assert restore(clip, "-t", "denoise", "-o", target, "--codec", "ffv1", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["status"], facts["target"]) == ("done", str(target))
    assert facts["megapixels"] == pytest.approx(12 * 64 * 48 / 1e6, abs=1e-3)
    assert restore(clip, "-t", "denoise", "-o", clip.with_name("x.mp4"), "--codec", "divx") == 2
    assert "codec 'divx'" in capsys.readouterr().err


def test_photos_and_videos_together_resume(restore: Restore, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_image(clip.with_name("a.png"), np.full((40, 50, 3), 99, np.uint8))
    output = clip.parent / "out"
    words = (clip, clip.with_name("a.png"), "-t", "denoise", "-o", output)
    assert restore(*words) == 0
    assert {path.name for path in output.iterdir() if not path.name.startswith(".")} == {"a.png", "clip.mp4"}
    capsys.readouterr()
    assert restore(*words) == 0
    assert "2 files: 2 already done" in capsys.readouterr().err


def test_videos_in_folders_are_left_out_with_a_note(
    restore: Restore, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(clip.with_name("a.png"), np.full((40, 50, 3), 99, np.uint8))
    assert restore(clip.parent, "-t", "denoise", "--dry-run") == 0
    streams = capsys.readouterr()
    assert "clip.mp4: skipped, its name is that of a video; give the video itself" in streams.err
    assert "a.denoise.png" in streams.out and "clip.denoise" not in streams.out


def test_a_photo_does_not_become_a_video(
    restore: Restore, tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "a.png", np.full((40, 50, 3), 99, np.uint8))
    assert restore(tmp_path / "a.png", "-t", "denoise", "-o", tmp_path / "a.mp4") == 2
    assert "a.mp4: unknown image extension" in capsys.readouterr().err
    assert restore(clip, "-t", "denoise", "-o", tmp_path / "a.jpg") == 2
    assert "a.jpg: '.jpg' is not a video" in capsys.readouterr().err


def test_the_missing_extra_is_named(
    restore: Restore, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"whatever")
    assert restore(tmp_path / "clip.mp4", "-t", "denoise") == 2
    assert "pip install 'adair[video]'" in capsys.readouterr().err


def test_photos_do_not_need_the_extra(restore: Restore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    write_image(tmp_path / "a.png", np.full((40, 50, 3), 99, np.uint8))
    assert restore(tmp_path / "a.png", "-t", "denoise") == 0
