"""Stored pictures of all kinds as planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adair.video.source import colour_of, has_alpha, layout_of, planes_of

av = pytest.importorskip("av")


def picture(form: str, levels: int = 1, seed: int = 0) -> Any:
    """A frame of 32x24 of random samples."""
    frame = av.VideoFrame(32, 24, form)
    rng = np.random.default_rng(seed)
    for plane in frame.planes:
        values = np.frombuffer(plane, np.uint8)
        values[:] = rng.integers(40, 200, values.shape)
    frame.color_range = levels
    return frame


@pytest.mark.parametrize(
    ("form", "layout"),
    [
        ("yuv420p", "yuv420p"),
        ("yuvj422p", "yuv422p"),
        ("nv12", "yuv420p"),
        ("p010le", "yuv420p10le"),
        ("yuyv422", "yuv422p"),
        ("yuv411p", "yuv422p"),
        ("yuv440p", "yuv444p"),
        ("yuva420p", "yuv420p"),
        ("yuv422p12le", "yuv422p12le"),
        ("gray", "gray"),
        ("gray10le", "gray10le"),
        ("rgb24", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
        ("yuv444p16le", "yuv444p12le"),
    ],
)
def test_the_smallest_layout_that_holds_a_picture(form: str, layout: str) -> None:
    frame = picture(form)
    chosen = layout_of(frame)
    assert chosen.name == layout
    planes = planes_of(frame, chosen)
    assert planes[0].shape == (24, 32) and len(planes) == (3 if chosen.across else 1)


@pytest.mark.parametrize("levels", [1, 2])
def test_samples_that_are_packed_otherwise_keep_their_values(levels: int) -> None:
    frame = picture("nv12", levels)
    luma, both = (np.frombuffer(plane, np.uint8).reshape(plane.height, -1) for plane in frame.planes)
    y, cb, cr = planes_of(frame, layout_of(frame))
    np.testing.assert_array_equal(y, luma[:, :32])
    np.testing.assert_array_equal(cb, both[:, :32:2])
    np.testing.assert_array_equal(cr, both[:, 1:32:2])
    assert colour_of(frame, layout_of(frame)).full is (levels == 2)


@pytest.mark.parametrize("form", ["rgb24", "gbrp", "bgra"])
def test_rgb_survives(form: str) -> None:
    array = np.zeros((24, 32, 3), np.uint8)
    array[..., 0], array[..., 1], array[..., 2] = 200, 90, np.arange(32) * 5 + 20
    frame = av.VideoFrame.from_ndarray(array, "rgb24").reformat(format=form)
    layout = layout_of(frame)
    rgb = colour_of(frame, layout).to_rgb(planes_of(frame, layout)) / 257
    assert np.abs(rgb - array).max() < 3
    assert has_alpha(frame) is (form == "bgra")


def test_planes_do_not_change_with_the_frame() -> None:
    frame = picture("yuv420p")
    planes = planes_of(frame, layout_of(frame))
    before = planes[0].copy()
    np.frombuffer(frame.planes[0], np.uint8)[:] = 0
    np.testing.assert_array_equal(planes[0], before)
