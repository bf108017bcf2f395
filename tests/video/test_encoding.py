"""Which encoder, and how good."""

from __future__ import annotations

from pathlib import Path

import pytest

from adair.errors import InputError
from adair.video.colour import LAYOUTS
from adair.video.encoding import ENCODERS, choose_encoding

pytest.importorskip("av")

NAMES = {layout.name: layout for layout in LAYOUTS}


@pytest.mark.parametrize(
    ("quality", "h264", "av1"), [(100, 0, 0), (95, 15, 19), (90, 20, 25), (80, 27, 33), (50, 39, 48)]
)
def test_quality_is_that_of_the_documentation(quality: int, h264: int, av1: int) -> None:
    for codec, expected in (("h264", h264), ("hevc", h264), ("av1", av1), ("vp9", av1)):
        assert ENCODERS[codec].settings(quality)["crf"] == str(expected)
    assert "crf" not in ENCODERS["ffv1"].settings(quality)


@pytest.mark.parametrize(
    ("name", "source", "layout", "codec", "expected"),
    [
        ("x.mp4", "hevc", "yuv420p10le", None, ("hevc", "yuv420p10le", False)),
        ("x.mkv", "mpeg2video", "yuv420p", None, ("h264", "yuv420p", True)),
        ("x.webm", "h264", "yuv420p", None, ("vp9", "yuv420p", True)),
        ("x.webm", "vp9", "yuv420p10le", None, ("av1", "yuv420p10le", True)),  # this libvpx has 8 bits
        ("x.mkv", "h264", "yuv422p12le", None, ("ffv1", "yuv422p12le", True)),
        ("x.mov", "h264", "yuv420p", "prores", ("prores", "yuv422p10le", False)),
        ("x.mkv", "ffv1", "yuv444p12le", "av1", ("av1", "yuv420p10le", True)),
        ("x.mkv", "av1", "gray", None, ("av1", "yuv420p", False)),
    ],
)
def test_the_codec_of_the_source_is_kept_where_it_can_be(
    name: str, source: str, layout: str, codec: str | None, expected: tuple[str, str, bool]
) -> None:
    chosen = choose_encoding(Path(name), source, NAMES[layout], codec, 95)
    assert (chosen.codec, chosen.layout.name, bool(chosen.note)) == expected


@pytest.mark.parametrize(
    ("name", "source", "layout", "note"),
    [
        ("x.webm", "h264", "yuv420p", "written as vp9, since .webm files cannot hold h264"),
        ("x.mkv", "mpeg2video", "yuv420p", "written as h264, since there is no encoder for mpeg2video"),
        ("x.mkv", "h264", "yuv422p12le", "written as ffv1, since h264 holds no yuv422p12le"),
    ],
)
def test_a_note_says_why_another_codec_is_written(name: str, source: str, layout: str, note: str) -> None:
    assert choose_encoding(Path(name), source, NAMES[layout], None, 95).note == note


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="ffv1 cannot be written"):
        choose_encoding(Path("x.webm"), "vp9", NAMES["yuv420p"], "ffv1", 95)
    with pytest.raises(InputError, match="no encoder for yuv444p12le fits into this kind of file"):
        choose_encoding(Path("x.webm"), "vp9", NAMES["yuv444p12le"], None, 95)
