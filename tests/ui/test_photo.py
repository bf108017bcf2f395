from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adair.errors import AdairError, InputError
from adair.restore import RestoreOptions
from adair.ui.desk import Desk
from adair.ui.photo import PREVIEW, options_for, part_at, preview, shown


def test_a_preview_of_a_small_photo_is_the_result(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    before, after = preview(photo, RestoreOptions("denoise"), 0.5, 0.5, desk.restorer)
    assert np.array_equal(before, photo.image.pixels)
    assert np.array_equal(after, desk.restorer.restore(photo.image.pixels, "denoise"))


def test_before_and_after_have_one_size_when_enlarged(desk: Desk, upload: Callable[..., Path]) -> None:
    before, after = preview(desk.open(upload()), RestoreOptions("sr", 3), 0, 0, desk.restorer)
    assert before.shape == after.shape == (192, 288, 3)


def test_auto_shows_what_it_would_do_to_the_whole_photo(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    nothing = replace(photo, advice=replace(photo.advice, plan=()))
    before, after = preview(nothing, RestoreOptions("auto"), 0, 0, desk.restorer)
    assert np.array_equal(before, after)
    two_steps = replace(photo, advice=replace(photo.advice, plan=({"denoise": 1.0}, {"sr": 1.0})))
    _, after = preview(two_steps, RestoreOptions("auto"), 0, 0, desk.restorer)
    expected = desk.restorer.restore(photo.image.pixels, "denoise > sr", scale=1)
    assert np.array_equal(after, expected)


def test_parts_lie_inside_and_where_asked(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload(size=(1200, 500)))
    for across, down in ((0, 0), (0.5, 0.5), (1, 1), (-3, 7)):
        assert photo.part(across, down).image.pixels.shape == (PREVIEW, PREVIEW, 3)
    left = photo.image.pixels[:PREVIEW, :PREVIEW]
    assert np.array_equal(photo.part(0, 0).image.pixels, left)
    assert not np.array_equal(photo.part(1, 0).image.pixels, left)
    assert max(photo.overview.shape[:2]) <= 1000


def test_what_is_enlarged_is_a_smaller_part_with_the_same_centre(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload(size=(1200, 500)))
    for scale, side in ((2, 256), (3, 168), (4, 128)):
        before, after = preview(photo, RestoreOptions("sr", scale), 0.5, 0.5, desk.restorer)
        assert before.shape == after.shape == (scale * side, scale * side, 3)
        rows, columns = part_at(photo.size, 0.5, 0.5, scale)
        assert (rows.stop - rows.start, columns.stop - columns.start) == (side, side)
        assert abs((rows.start + rows.stop) / 2 - 250) <= 8 and abs((columns.start + columns.stop) / 2 - 600) <= 8


def test_gray_and_16_bits_can_be_shown() -> None:
    pixels = shown(np.full((4, 5, 1), 65535, np.uint16))
    assert pixels.shape == (4, 5, 3)
    assert pixels.dtype == np.uint8
    assert pixels.min() == 255


def test_scale_counts_for_super_resolution_alone(desk: Desk, upload: Callable[..., Path]) -> None:
    assert options_for("denoise", "4", 1.0, desk.restorer).scale is None
    assert options_for(" dejpeg >  sr ", "4", 1.0, desk.restorer).scale == 4
    with pytest.raises(InputError, match="unknown task"):
        options_for("../../etc", "2", 1.0, desk.restorer)
    with pytest.raises(InputError, match="scale"):
        options_for("sr", "x", 1.0, desk.restorer)
    with pytest.raises(InputError, match="strength"):
        options_for("sr", "2", 7.0, desk.restorer)


def test_too_many_pixels_and_other_files_are_refused(desk: Desk, upload: Callable[..., Path]) -> None:
    with pytest.raises(AdairError, match="megapixels"):
        desk.open(upload(size=(1100, 1000)))
    text = desk.workspace.uploads / "x.png"
    text.write_text("not an image", encoding="utf-8")
    with pytest.raises(AdairError, match="not an image"):
        desk.open(text)
