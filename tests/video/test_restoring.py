"""A video restored: what is kept, what is refused, and going on after a stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adair.errors import AdairError, FileFormatError, InputError, Interrupted, TooLargeError
from adair.images import ImageFile
from adair.restore import FileOptions, RestoreOptions
from adair.restore.restoration import Restoration
from adair.video import restore_video
from adair.video.pieces import LENGTH

pytest.importorskip("av")

See = Callable[[Path], Any]
EXACT = FileOptions(codec="ffv1")
LONG = [20 * number for number in range(2 * LENGTH + 10)]  # three pieces


def difference(first: Any, second: Any) -> float:
    """Mean difference of all samples of all pictures."""
    pairs = zip(first.pixels(), second.pixels(), strict=True)
    return float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs]))


def test_times_sound_and_tags_are_kept(clip: Path, tmp_path: Path, see: See, dimmer: Any) -> None:
    result = restore_video(clip, tmp_path / "out.mp4", "denoise", restorer=dimmer)
    before, after = see(clip), see(tmp_path / "out.mp4")
    assert after.times == before.times and after.times[3] == Fraction(90, 600)
    assert after.sound == before.sound and len(after.sound) > 5
    assert after.tags == before.tags == (1, 1, 1, 1)
    assert after.metadata["title"] == "A clip"
    assert (after.codec, after.form) == ("h264", "yuv420p")
    assert dimmer.calls == 12 and result.notes == ()
    assert result.megapixels == pytest.approx(12 * 64 * 48 / 1e6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


def test_pictures_are_what_the_restorer_made(clip: Path, tmp_path: Path, see: See, dimmer: Any) -> None:
    restore_video(clip, tmp_path / "out.mkv", "denoise", restorer=dimmer, files=FileOptions(codec="ffv1"))
    for before, after in zip(see(clip).pixels(), see(tmp_path / "out.mkv").pixels(), strict=True):
        expected = before[:48].astype(float) - 0.1 * (before[:48].astype(float) - 16)  # a tenth darker, of 16..235
        assert np.abs(after[:48] - expected).max() < 2.5


def test_without_changes_and_without_loss_pictures_are_the_same_bit_by_bit(
    clip: Path, tmp_path: Path, see: See, dimmer: Any
) -> None:
    options = RestoreOptions("denoise", strength=0.0)
    restore_video(clip, tmp_path / "out.mkv", options=options, restorer=dimmer, files=FileOptions(codec="ffv1"))
    for before, after in zip(see(clip).pixels(), see(tmp_path / "out.mkv").pixels(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("codec", "form", "suffix", "expected"),
    [
        ("libx264", "yuv422p10le", ".mov", "h264"),
        ("libx265", "yuv420p10le", ".mp4", "hevc"),
        ("libsvtav1", "yuv420p10le", ".mkv", "av1"),
        ("libvpx-vp9", "yuv420p", ".webm", "vp9"),
        ("prores_ks", "yuv422p10le", ".mov", "prores"),
        ("ffv1", "yuv444p", ".mkv", "ffv1"),
        ("ffv1", "gray", ".mkv", "ffv1"),
    ],
)
def test_codec_bits_and_colour_stay(
    codec: str, form: str, suffix: str, expected: str, clips: Any, see: See, tmp_path: Path, dimmer: Any
) -> None:
    tags = (9, 14, 9, 1)
    source = clips(codec, form, tags=tags, options={}, sound=False).write(tmp_path / f"in{suffix}")
    restore_video(source, tmp_path / f"out{suffix}", "denoise", restorer=dimmer)
    after = see(tmp_path / f"out{suffix}")
    assert (after.codec, after.form, len(after.frames)) == (expected, form, 12)
    assert after.tags == tags


def test_full_range_rotation_and_wide_pixels_stay(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips(tags=(1, 13, 1, 2), rotation=90, aspect=Fraction(4, 3)).write(tmp_path / "in.mp4")
    restore_video(source, tmp_path / "out.mp4", "denoise", restorer=dimmer)
    after = see(tmp_path / "out.mp4")
    assert after.tags == (1, 13, 1, 2)
    assert after.frames[0].rotation == see(source).frames[0].rotation == 90
    assert (after.frames[0].width, after.frames[0].height) == (64, 48)
    assert after.aspect == Fraction(4, 3)


def test_fields_of_interlaced_video_are_restored_apart(clips: Any, see: See, tmp_path: Path) -> None:
    source = clips(interlaced=True).write(tmp_path / "in.mp4")
    assert see(source).frames[0].interlaced_frame
    sizes = []

    class Watcher:
        tasks = ("denoise",)
        check = mark = lambda self, options: "x"

        def run(self, image: Any, options: Any, progress: Any = None) -> Any:
            sizes.append(image.pixels.shape)
            return Restoration(ImageFile((image.pixels * 0.9).astype(np.uint16)), ())

    restore_video(source, tmp_path / "out.mp4", "denoise", restorer=Watcher())
    assert sizes == [(24, 64, 3)] * 24
    after = see(tmp_path / "out.mp4")
    assert after.frames[0].interlaced_frame
    expected = see(source).pixels()[3][:48].astype(float) * 0.9 + 1.6
    assert np.abs(after.pixels()[3][:48] - expected).mean() < 4
    (note,) = restore_video(
        source, tmp_path / "out.mkv", "denoise", restorer=Watcher(), files=FileOptions(codec="ffv1")
    ).notes
    assert "interlaced" in note
    exact = see(tmp_path / "out.mkv").pixels()[3][:48]
    assert np.abs(exact - expected).max() < 2


def test_subtitles_go_where_they_can(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips(subtitles="subrip").write(tmp_path / "in.mkv")
    assert restore_video(source, tmp_path / "out.mkv", "denoise", restorer=dimmer).notes == ()
    assert see(tmp_path / "out.mkv").subtitles == [b"Hello"]
    (note,) = restore_video(source, tmp_path / "out.mp4", "denoise", restorer=dimmer).notes
    assert "subtitle" in note and "left out" in note
    assert len(see(tmp_path / "out.mp4").sound) == len(see(source).sound)


def test_super_resolution_enlarges(clip: Path, tmp_path: Path, see: See, dimmer: Any) -> None:
    result = restore_video(clip, tmp_path / "out.mp4", options=RestoreOptions("sr", scale=3), restorer=dimmer)
    after = see(tmp_path / "out.mp4")
    assert (after.frames[0].width, after.frames[0].height) == (192, 144)
    assert after.times == see(clip).times
    assert result.megapixels == pytest.approx(12 * 192 * 144 / 1e6)


def test_a_run_that_is_cancelled_leaves_pieces_and_the_next_goes_on(
    clips: Any, see: See, tmp_path: Path, dimmer: Any
) -> None:
    source = clips(times=LONG).write(tmp_path / "in.mp4")
    target = tmp_path / "out.mkv"

    def stop(done: int, total: int) -> None:
        assert total == len(LONG)
        if done == LENGTH + 5:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        restore_video(source, target, "denoise", files=EXACT, restorer=dimmer, progress=stop)
    assert dimmer.calls == LENGTH + 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mkv.adair", "in.mp4"]
    assert sorted(path.name for path in (tmp_path / ".out.mkv.adair").iterdir()) == ["000000.mkv", "settings.json"]
    reports: list[tuple[int, int]] = []
    restore_video(
        source, target, "denoise", files=EXACT, restorer=dimmer, progress=lambda *report: reports.append(report)
    )
    assert dimmer.calls == LENGTH + 5 + len(LONG) - LENGTH
    assert reports[-1] == (len(LONG), len(LONG)) and reports == sorted(reports)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mkv"]
    whole = tmp_path / "whole.mkv"
    restore_video(source, whole, "denoise", files=EXACT, restorer=dimmer)
    after, expected = see(target), see(whole)
    assert after.times == expected.times
    assert difference(after, expected) == 0


def test_pieces_of_other_settings_are_not_used(clips: Any, tmp_path: Path, dimmer: Any) -> None:
    source = clips(times=LONG).write(tmp_path / "in.mp4")

    def stop(done: int, total: int) -> None:
        if done > LENGTH:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        restore_video(source, tmp_path / "out.mp4", "denoise", restorer=dimmer, progress=stop)
    dimmer.calls = 0
    restore_video(source, tmp_path / "out.mp4", "dejpeg", restorer=dimmer)
    assert dimmer.calls == len(LONG)


KILLED = """
import sys, os, signal
from pathlib import Path
from adair.video import restore_video
from adair.video.pieces import LENGTH
sys.path.insert(0, sys.argv[1])
from conftest import Dimmer
def die(done, total):
    if done == LENGTH + 5:
        os.kill(os.getpid(), signal.SIGKILL)
restore_video(sys.argv[2], sys.argv[3], "denoise", restorer=Dimmer(), progress=die)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_that_is_killed_goes_on(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips(times=LONG).write(tmp_path / "in.mp4")
    target = tmp_path / "out.mp4"
    words = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(source), str(target)]
    assert subprocess.run(words, check=False).returncode == -9
    assert not target.exists()
    restore_video(source, target, "denoise", restorer=dimmer)
    assert dimmer.calls == len(LONG) - LENGTH
    assert see(target).times == see(source).times
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_existing_files_are_replaced_only_when_asked(clip: Path, tmp_path: Path, dimmer: Any, see: See) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"mine")
    with pytest.raises(AdairError, match=r"out\.mp4: exists"):
        restore_video(clip, target, "denoise", restorer=dimmer)
    assert target.read_bytes() == b"mine" and dimmer.calls == 0
    restore_video(clip, target, "denoise", restorer=dimmer, files=FileOptions(overwrite=True))
    assert len(see(target).frames) == 12


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("out.avi", FileOptions(), r"out\.avi: AVI cannot be written; use one of \.mp4"),
        ("out.png", FileOptions(), r"'\.png' is not a video"),
        ("out.webm", FileOptions(codec="h264"), r"out\.webm: h264 cannot be written .* use one of av1, vp9"),
        ("out.mp4", FileOptions(codec="divx"), "codec 'divx': use one of h264, hevc, av1, vp9, prores, ffv1"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    name: str, files: FileOptions, message: str, clip: Path, tmp_path: Path, dimmer: Any
) -> None:
    with pytest.raises(InputError, match=message):
        restore_video(clip, tmp_path / name, "denoise", restorer=dimmer, files=files)
    assert dimmer.calls == 0
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_what_is_no_video_is_refused(tmp_path: Path, dimmer: Any, clips: Any) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    with pytest.raises(FileFormatError, match=r"text\.mp4: cannot be read as a video"):
        restore_video(tmp_path / "text.mp4", tmp_path / "out.mp4", "denoise", restorer=dimmer)
    with pytest.raises(InputError, match=r"none\.mp4: not found"):
        restore_video(tmp_path / "none.mp4", tmp_path / "out.mp4", "denoise", restorer=dimmer)
    with pytest.raises(TooLargeError, match="64x48 pixels"):
        source = clips().write(tmp_path / "in.mp4")
        restore_video(source, tmp_path / "out.mp4", "denoise", restorer=dimmer, files=FileOptions(max_pixels=1000))
    with pytest.raises(InputError, match="a task or options"):
        restore_video(source, tmp_path / "out.mp4", restorer=dimmer)


def test_a_playlist_is_not_followed(clip: Path, tmp_path: Path, dimmer: Any) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.mp4").write_text(text)
    (tmp_path / "list.ts").write_text(f"ffconcat version 1.0\nfile {clip}\n")
    for name in ("list.mp4", "list.ts"):
        with pytest.raises(FileFormatError, match="cannot be read as a video"):
            restore_video(tmp_path / name, tmp_path / "out.mp4", "denoise", restorer=dimmer)


def test_a_file_that_was_cut_off_says_so(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips("mpeg4", times=LONG, options={"movflags": "faststart", "q": "2"}, sound=False).write(
        tmp_path / "in.mov"
    )
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    try:
        notes = restore_video(source, tmp_path / "out.mp4", "denoise", restorer=dimmer).notes
    except AdairError as error:
        assert "in.mov" in str(error)
    else:
        assert any("that it promises" in note or "damaged" in note for note in notes)


def test_an_unusual_codec_becomes_h264_with_a_note(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips("mpeg4", options={"q": "2"}).write(tmp_path / "in.avi")
    notes = restore_video(source, tmp_path / "out.mkv", "denoise", restorer=dimmer).notes
    assert notes == ("written as h264, since there is no encoder for mpeg4",)
    assert see(tmp_path / "out.mkv").codec == "h264"
    assert len(see(tmp_path / "out.mkv").frames) == len(see(source).frames)


def test_quality_is_felt(clips: Any, see: See, tmp_path: Path, dimmer: Any) -> None:
    source = clips().write(tmp_path / "in.mp4")
    sizes = []
    for quality in (20, 95):
        target = tmp_path / f"{quality}.mp4"
        restore_video(source, target, "denoise", restorer=dimmer, files=FileOptions(quality=quality))
        sizes.append(target.stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]


def test_errors_of_the_restorer_leave_nothing(clip: Path, tmp_path: Path) -> None:
    class Broken:
        tasks = ("denoise",)
        check = mark = lambda self, options: "x"

        def run(self, image: Any, options: Any, progress: Any = None) -> Any:
            raise InputError("broken")

    with pytest.raises(InputError, match="broken"):
        restore_video(clip, tmp_path / "out.mp4", "denoise", restorer=Broken())
    assert not (tmp_path / "out.mp4").exists()
    assert not list((tmp_path / ".out.mp4.adair").glob("*.mkv"))


def test_memory_does_not_grow_with_the_length(clips: Any, tmp_path: Path, dimmer: Any) -> None:
    """No more pictures are alive at once in a long video than in a short one."""
    import gc

    import av

    most = {}
    for count in (20, 200):
        source = clips(times=range(0, 20 * count, 20), sound=False).write(tmp_path / f"{count}.mp4")
        alive = []

        def look(done: int, total: int, alive: list[int] = alive) -> None:
            if done % 10 == 0:
                alive.append(sum(type(one) is av.VideoFrame for one in gc.get_objects()))

        restore_video(source, tmp_path / f"{count}.out.mp4", "denoise", restorer=dimmer, progress=look)
        most[count] = max(alive)
    assert most[200] <= most[20] + 5
