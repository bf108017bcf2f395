"""Between Y'CbCr and RGB: formulas, ranges, and that nothing is lost where nothing is changed."""

from __future__ import annotations

import numpy as np
import pytest

from adair.video.colour import BT601, BT709, LAYOUTS, Colour, Layout, Planes

NAMES = {layout.name: layout for layout in LAYOUTS}


def noise(layout: Layout, width: int = 37, height: int = 25, seed: int = 0) -> Planes:
    """Samples of all levels, also those that are no colour."""
    rng = np.random.default_rng(seed)
    shapes = [(height, width)]
    if layout.across:
        shapes += [(-(-height // layout.down), -(-width // layout.across))] * 2
    return tuple(rng.integers(0, 2**layout.bits, shape, dtype=layout.dtype) for shape in shapes)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("full", [False, True])
def test_what_is_not_changed_stays_bit_by_bit(layout: Layout, full: bool) -> None:
    colour = Colour(layout, BT709, full, 25)
    planes = noise(layout)
    rgb = colour.to_rgb(planes)
    assert rgb.shape == (25, 37, 3 if layout.across else 1) and rgb.dtype == np.uint16
    for before, after in zip(planes, colour.corrected(planes, rgb, rgb), strict=True):
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("rgb", "bt709", "bt601"),
    [
        ((1.0, 1.0, 1.0), (235, 128, 128), (235, 128, 128)),
        ((0.0, 0.0, 0.0), (16, 128, 128), (16, 128, 128)),
        ((1.0, 0.0, 0.0), (63, 102, 240), (81, 90, 240)),  # the usual colour bars at 100 %
        ((0.0, 1.0, 0.0), (173, 42, 26), (145, 54, 34)),
        ((0.0, 0.0, 1.0), (32, 240, 118), (41, 240, 110)),
    ],
)
def test_colour_bars_have_their_levels(rgb: tuple[float, ...], bt709: tuple[int, ...], bt601: tuple[int, ...]) -> None:
    image = np.full((4, 4, 3), np.array(rgb) * 65535, np.uint16)
    for matrix, levels in ((BT709, bt709), (BT601, bt601)):
        planes = Colour(NAMES["yuv420p"], matrix, False, 4).from_rgb(image)
        assert tuple(int(plane[0, 0]) for plane in planes) == levels


def test_ten_bits_and_full_range() -> None:
    white = np.full((4, 4, 3), 65535, np.uint16)
    assert Colour(NAMES["yuv422p10le"], BT709, False, 4).from_rgb(white)[0][0, 0] == 940
    assert Colour(NAMES["yuv420p"], BT709, True, 4).from_rgb(white)[0][0, 0] == 255
    assert Colour(NAMES["gray12le"], BT709, False, 4).from_rgb(white[..., :1])[0][0, 0] == 3760


@pytest.mark.parametrize(("height", "same_as"), [(576, BT601), (720, BT709)])
def test_small_pictures_without_a_tag_are_bt601_and_large_ones_bt709(height: int, same_as: int) -> None:
    planes = noise(NAMES["yuv420p"])
    unknown, known = (Colour(NAMES["yuv420p"], matrix, False, height) for matrix in (2, same_as))
    np.testing.assert_array_equal(unknown.to_rgb(planes), known.to_rgb(planes))


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv444p12le"])
def test_smooth_colour_survives_the_way_there_and_back(name: str) -> None:
    colour = Colour(NAMES[name], BT709, False, 32)
    rows, columns = np.mgrid[0:32, 0:48] / 48
    smooth = np.stack([0.3 + 0.4 * rows, 0.5 - 0.2 * columns, 0.4 + 0.3 * columns], -1)
    back = colour.to_rgb(colour.from_rgb((smooth * 65535).astype(np.uint16))) / 65535
    assert np.abs(back - smooth)[2:-2, 2:-2].max() < 0.012


def test_corrections_reach_the_samples() -> None:
    colour = Colour(NAMES["yuv420p"], BT709, False, 24)
    planes = tuple(np.full_like(plane, 128) for plane in noise(NAMES["yuv420p"], 36, 24))
    rgb = colour.to_rgb(planes)
    darker = colour.corrected(planes, rgb, (rgb - 6553).astype(np.uint16))
    assert darker[0][5, 5] == 106 and darker[1][5, 5] == 128  # a tenth of 219 levels


def test_a_layout_holds_what_has_fewer_samples_and_bits() -> None:
    assert NAMES["yuv444p10le"].holds(NAMES["yuv420p"]) and NAMES["yuv420p"].holds(NAMES["gray"])
    assert not NAMES["yuv420p"].holds(NAMES["yuv422p"]) and not NAMES["gray12le"].holds(NAMES["yuv420p"])
    assert not NAMES["yuv444p"].holds(NAMES["yuv420p10le"])
