"""One frame after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from adair.images import ImageFile
from adair.restore import RestoreOptions
from adair.restore.mask import Mask
from adair.restore.restoration import Restoration
from adair.video.colour import LAYOUTS
from adair.video.frames import FrameRestorer

av = pytest.importorskip("av")

WIDE, HIGH, BLACK = 64, 48, 30  # the mask's border crosses the squares that flicker is measured in


class Sharper:
    """Stands for a restorer: doubles the contrast, and the noise, where the mask is white."""

    def __init__(self, scale: int) -> None:
        self.scale = scale
        self.made: list[np.ndarray] = []

    def run(self, image: ImageFile, options: RestoreOptions, progress: object) -> Restoration[ImageFile]:
        plain = image.pixels.repeat(self.scale, 0).repeat(self.scale, 1)
        assert options.mask is not None
        white = options.mask.rows(0, len(plain), self.scale)[..., None] > 0
        sharp = (plain.astype(float) * 2 - 30000).clip(0, 65535).astype(np.uint16)
        self.made.append(np.where(white, sharp, plain))
        return Restoration(ImageFile(self.made[-1]), ())


def still_pictures() -> Iterator[Any]:
    """A gray slope that stands still, with noise that differs in every picture."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        picture = av.VideoFrame(WIDE, HIGH, "gray")
        lines = np.frombuffer(picture.planes[0], np.uint8).reshape(HIGH, -1)
        lines[:, :WIDE] = 90 + np.arange(WIDE) + rng.integers(-1, 2, (HIGH, WIDE))
        yield picture


@pytest.mark.parametrize("scale", [1, 2])
def test_what_a_mask_protects_stays_while_flicker_is_reduced(scale: int) -> None:
    weights = np.full((HIGH, WIDE), 255, np.uint8)
    weights[:, :BLACK] = 0
    restorer: Any = Sharper(scale)
    layout = next(one for one in LAYOUTS if one.name == "gray")
    frames = FrameRestorer(restorer, RestoreOptions("denoise", mask=Mask(weights)), layout)
    black, reduced = BLACK * scale, 0.0
    for picture in still_pictures():
        (after,) = frames.restore(picture, lambda: None)
        before = np.frombuffer(picture.planes[0], np.uint8).reshape(HIGH, -1)[:, :WIDE]
        before = before.repeat(scale, 0).repeat(scale, 1)
        np.testing.assert_array_equal(after[:, :black], before[:, :black])
        unsteady = 16 + restorer.made[-1][..., 0] / 65535 * 219
        reduced += np.abs(after - unsteady)[:, black:].mean()
    assert reduced > 1.5  # the white part was steadied
