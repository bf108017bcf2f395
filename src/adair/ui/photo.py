"""An uploaded photo: its overview, and previews of a part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adair.errors import InputError
from adair.images import ImageFile, convert_depth, read_image
from adair.inspect import Advice
from adair.restore import AUTO, RestoreOptions, Restorer
from adair.restore.mask import Mask
from adair.restore.tasks import UPSCALING, is_auto, parse_task

PREVIEW = 384  # pixels per side: half a second on two cores
ENLARGED = 512  # the same of an enlarged part: the network works at the size of its result
OVERVIEW = 1000  # pixels per side of the overview on which a part is chosen
GRID = 8  # previews start at multiples of it, like JPEG's blocks


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded upload.

    Attributes:
        path: path of the upload.
        name: its name in the browser, only for display.
        image: its pixels and metadata.
        advice: what seems wrong with it.
        mask: where it may change; None for everywhere.
    """

    path: Path
    name: str
    image: ImageFile
    advice: Advice
    mask: Mask | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.pixels.shape[1], self.image.pixels.shape[0]

    @property
    def overview(self) -> npt.NDArray[np.uint8]:
        """Return a small version, every n-th pixel, (h, w, 3)."""
        step = -(-max(self.size) // OVERVIEW)
        return shown(self.image.pixels[::step, ::step])

    def part(self, across: float, down: float, scale: int = 1) -> Photo:
        """Return the part that a preview shows.

        Args:
            across, down: its centre, from 0 (left, top) to 1.
            scale: how many times it will be enlarged.
        """
        rows, columns = part_at(self.size, across, down, scale)
        alpha = None if self.image.alpha is None else self.image.alpha[rows, columns]
        image = replace(self.image, pixels=self.image.pixels[rows, columns], alpha=alpha)
        mask = self.mask and Mask(np.ascontiguousarray(self.mask.weights[rows, columns]), self.mask.name)
        return replace(self, image=image, mask=mask)


def part_at(size: tuple[int, int], across: float, down: float, scale: int = 1) -> tuple[slice, slice]:
    """Return the rows and the columns that a preview shows of a photo.

    Args:
        size: width and height in pixels.
        across, down, scale: as for `Photo.part`.
    """
    length = PREVIEW if scale == 1 else ENLARGED // scale // GRID * GRID
    left, top = (_start(side, place, length) for side, place in zip(size, (across, down), strict=True))
    return slice(top, top + length), slice(left, left + length)


def open_photo(path: Path, name: str, restorer: Restorer, max_pixels: int) -> Photo:
    """Read an upload and inspect it.

    Raises:
        AdairError: it cannot be read; the message calls it ``name``.
    """
    image = read_image(path, max_pixels)
    return Photo(path, name, image, restorer.inspect(image)[0])


def options_for(
    task: str,
    scale: str,
    strength: float,
    restorer: Restorer,
    luma: float = 1.0,
    colour: float = 1.0,
    mask: Mask | None = None,
) -> RestoreOptions:
    """Return the options for the choices on the page.

    Args:
        task: a name, a sequence or a blend, or "auto".
        scale: "2", "3" or "4", "1" to keep the size; only task "sr" uses it.
        strength, luma, colour: 0 to 1.
        mask: where the photo may change.

    Raises:
        InputError: something that `Restorer.restore` would refuse.
    """
    task = " ".join(str(task or "").split())
    enlarges = not is_auto(task) and any(UPSCALING in blend for blend in parse_task(task, restorer.tasks))
    if enlarges and not scale.isdecimal():
        raise InputError(f"scale '{scale}' is not a number; choose one of those offered")
    factor = int(scale) if enlarges else None
    options = RestoreOptions(task, factor, strength, luma=luma, colour=colour, mask=mask)
    restorer.check(options)
    return options


def preview(photo: Photo, options: RestoreOptions, across: float, down: float, restorer: Restorer) -> list[Any]:
    """Return a part before and after, both (h, w, 3) uint8 of the same size.

    Task "auto" treats the part like the whole photo. Near its borders the part lacks context, so single
    pixels may differ from the whole result by a few levels.
    """
    part = photo.part(across, down, options.scale or 1)
    options = replace(options, mask=part.mask)
    if options.task == AUTO:
        if not photo.advice.plan:
            return [shown(part.image.pixels), shown(part.image.pixels)]
        options = replace(options, task=list(photo.advice.plan), scale=_keep_size(photo.advice.plan))
    before = restorer.run(part.image, replace(options, strength=0.0)).image
    after = restorer.run(part.image, options).image
    return [shown(before.pixels), shown(after.pixels)]


def shown(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return stored pixels as (H, W, 3) uint8."""
    eight = convert_depth(pixels, np.uint8)
    return np.ascontiguousarray(np.broadcast_to(eight, (*eight.shape[:2], 3)), np.uint8)


def _keep_size(plan: tuple[Mapping[str, float], ...]) -> int | None:
    return 1 if any(UPSCALING in blend for blend in plan) else None


def _start(side: int, place: float, length: int) -> int:
    middle = round(min(max(place, 0.0), 1.0) * side)
    return max(0, min(middle - length // 2, side - length)) // GRID * GRID
