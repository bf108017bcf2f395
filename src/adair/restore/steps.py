"""One step of a restoration: stored pixels through one network to stored pixels, tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adair.errors import NonFiniteOutputError
from adair.images import scratch
from adair.images.buffer import WHITE, ImageBuffer
from adair.restore.ensemble import self_ensemble
from adair.restore.mix import Mix
from adair.restore.options import RestoreOptions
from adair.restore.region import enlarge, region
from adair.restore.restoration import Progress
from adair.restore.tiling import Tiler
from adair.runtimes import Session

LINES = 256  # lines of a finished image that are mixed at once


@dataclass(frozen=True)
class Step:
    """Runs one network over a whole image.

    Attributes:
        session: the network.
        name: its name in messages.
        scale: factor by which the image is enlarged first.
        tile: height and width of a tile.
        batch: tiles that go through the network together.
        ensemble: whether to average over flips and rotations.
    """

    session: Session
    name: str
    device: torch.device
    scale: int
    tile: tuple[int, int]
    batch: int
    ensemble: bool

    def run(self, planes: ImageBuffer, mix: Mix | None, progress: Progress | None) -> ImageBuffer:
        """Restore an image.

        Args:
            planes: the image as it is stored; alpha is enlarged with it and otherwise kept.
            mix: how the result is mixed with the user's image; None for no mixing.
            progress: see `Progress`.

        Raises:
            NonFiniteOutputError: the network returned NaN or infinity.
            OutOfMemoryError: even the smallest tile does not fit into memory.
        """
        height, width = (side * self.scale for side in planes.pixels.shape[:2])
        shape = (height, width, planes.pixels.shape[2])
        result = scratch.empty(shape, planes.pixels.dtype, planes.scratch)
        canvas = _Canvas(self, planes.pixels, result, mix)
        network = self_ensemble(self.session) if self.ensemble else self.session
        with torch.inference_mode():
            tiler = Tiler(network, self.tile, self.batch)
            tiler.run(height, width, canvas.fetch, canvas.store, progress)
        alpha = None if planes.alpha is None else enlarge(planes.alpha, self.scale, planes.scratch)
        return ImageBuffer(result, alpha, planes.scratch)


@dataclass(frozen=True)
class _Canvas:
    """Provides tiles of the image and stores finished lines."""

    step: Step
    source: npt.NDArray[Any]
    result: npt.NDArray[Any]
    mix: Mix | None

    def fetch(self, top: int, left: int, bottom: int, right: int) -> Tensor:
        """Return a part of the (enlarged) image as a tensor (1, 3, h, w)."""
        x = region(self.source, self.step.scale, (top, left, bottom, right), self.step.device)
        return x.expand(-1, 3, -1, -1)

    def store(self, top: int, lines: Tensor) -> None:
        """Store finished lines (3, h, width): check, clamp, mix and round them."""
        if not math.isfinite(float(lines.sum())):
            raise NonFiniteOutputError(
                f"{self.step.name}: the network returned NaN or infinity, so there is no result; "
                "use another adapter file, or --precision fp32"
            )
        lines = lines.clamp_(0, 1)
        lines = lines if self.source.shape[2] == 3 else lines.mean(0, keepdim=True)
        _write(self.result, top, lines, self.mix)
        scratch.release(self.source)
        scratch.release(self.result)


def _write(result: npt.NDArray[Any], top: int, lines: Tensor, mix: Mix | None) -> None:
    """Mix finished lines (C, h, width), in 0..1, if there is a mix, and store them in ``result`` in its type."""
    if mix is not None:
        lines = mix.apply(top, lines)
    white = WHITE[result.dtype]
    values = lines.mul_(white).permute(1, 2, 0).numpy()
    target = result[top : top + len(values)]
    target[:] = values if white == 1.0 else np.rint(values, out=values)
    if mix is not None:
        mix.keep(top, target)


def mixed(given: ImageBuffer, restored: ImageBuffer, options: RestoreOptions) -> ImageBuffer:
    """Mix an image with its result of the same size, as ``options`` say: for steps that were run without a mix."""
    height, width = restored.pixels.shape[:2]
    result = scratch.empty(restored.pixels.shape, restored.pixels.dtype, given.scratch)
    for top in range(0, height, LINES):
        box = (top, 0, min(top + LINES, height), width)
        lines = region(restored.pixels, 1, box, torch.device("cpu"))[0]
        _write(result, top, lines, Mix(given.pixels, 1, options))
        for array in (given.pixels, restored.pixels, result):
            scratch.release(array)
    return ImageBuffer(result, restored.alpha, given.scratch)


def enlarged(planes: ImageBuffer, scale: int) -> ImageBuffer:
    """Return the bicubic enlargement alone."""
    bands = [enlarge(band, scale) for band in np.moveaxis(planes.pixels, 2, 0)]
    return ImageBuffer(np.dstack(bands), None if planes.alpha is None else enlarge(planes.alpha, scale))
