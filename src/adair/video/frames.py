"""Restoring one frame of a video: to RGB, through the restorer, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from adair.errors import InputError
from adair.images.image_file import ImageFile
from adair.restore.options import RestoreOptions
from adair.restore.restoration import FileRestorer
from adair.video.colour import Colour, Layout, Planes
from adair.video.source import colour_of, planes_of
from adair.video.steady import Steady

Tick = Callable[[], None]
"""Called after every tile; an exception in it ends the work."""


def image_of(picture: Any, layout: Layout) -> ImageFile:
    """Return a frame as an image of 16 bits."""
    return ImageFile(colour_of(picture, layout).to_rgb(planes_of(picture, layout)))


@dataclass(frozen=True)
class FrameRestorer:
    """Restores the frames of a part of one video, in order.

    Attributes:
        restorer: the restorer.
        options: what to do; not task "auto".
        layout: how the results are stored, without loss for the source.
        steady: reduce flicker, of whole frames and first fields, and of second fields.
    """

    restorer: FileRestorer
    options: RestoreOptions
    layout: Layout
    steady: tuple[Steady, Steady] = field(default_factory=lambda: (Steady(), Steady()))

    def restore(self, picture: Any, tick: Tick) -> Planes:
        """Return a restored frame. The two fields of an interlaced frame are images from different moments.

        Raises:
            InputError: a mask with interlaced frames.
        """
        colour, planes = colour_of(picture, self.layout), planes_of(picture, self.layout)
        if not picture.interlaced_frame:
            return self._restore(colour, planes, 0, tick)
        if self.options.mask is not None:
            raise InputError("--mask: the video is interlaced, but masks are for whole frames; deinterlace it first")
        fields = [self._restore(colour, tuple(plane[first::2] for plane in planes), first, tick) for first in (0, 1)]
        return tuple(_woven(top, bottom) for top, bottom in zip(*fields, strict=True))

    def _restore(self, colour: Colour, planes: Planes, lines: int, tick: Tick) -> Planes:
        given = ImageFile(colour.to_rgb(planes))
        restored = self.restorer.run(given, self.options, lambda done, total: tick()).image
        if restored is given:
            return planes
        before, made = _sixteen(given), _sixteen(restored)
        after = self.steady[lines].apply(before, made)
        if self.options.mask is not None:  # `Steady` judges squares of pixels, which the border of a mask may cross
            weights = self.options.mask.rows(0, len(made), len(made) // len(before))
            after = np.where(weights[..., None] == 0, made, after)
        return colour.from_rgb(after) if after.shape != before.shape else colour.corrected(planes, before, after)


def _sixteen(image: ImageFile) -> np.ndarray[Any, np.dtype[np.uint16]]:
    assert image.pixels.dtype == np.uint16
    return image.pixels  # type: ignore[return-value]


def _woven(top: np.ndarray[Any, Any], bottom: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    picture = np.empty((len(top) + len(bottom), top.shape[1]), top.dtype)
    picture[0::2], picture[1::2] = top, bottom
    return picture
