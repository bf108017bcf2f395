"""Comparing an exported file with PyTorch, on real photos."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from adair.errors import AdairError
from adair.export.options import ExportOptions
from adair.images import WHITE
from adair.restore import read_image

Run = Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]]

# Largest difference that a file may have from PyTorch, in parts of white: a tenth of a level of 8 bits, or a whole one
# where weights are rounded to float16 (the bundled networks stay at 0.0003 of a level and at a fifth).
TOLERANCE = {"fp32": 0.1 / 255, "fp16": 1 / 255}
PHOTOS = Path(__file__).resolve().parents[3] / "examples" / "photos"
SIDE = 384  # of the part of a photo that is compared, where the file takes any size
NOISE = 0.06  # added before comparing, so that the network has something to do


@dataclass(frozen=True)
class Comparison:
    """The difference between a file's results and PyTorch's.

    Attributes:
        photos: how many were compared.
        max_difference: largest difference of a value, in parts of white (1/255 is a level of 8 bits).
        psnr: in dB, over all of them; infinite where they are equal.
    """

    photos: int
    max_difference: float
    psnr: float


def compare(run: Run, network: nn.Module, options: ExportOptions, photos: Sequence[Path] = ()) -> Comparison:
    """Compare the results of ``run`` and ``network`` on photos with a little noise.

    Args:
        run: the exported file: (1, 3, H, W) float32 in, the same or a larger one out.
        network: what was exported.
        options: size and half are looked at.
        photos: image files; none for those in ``examples/photos``, or for a drawn picture where there are none.

    Raises:
        AdairError: a photo that cannot be read, or a difference beyond `TOLERANCE`.
    """
    pictures = [_part(read_image(path).pixels, options.size) for path in photos or sorted(PHOTOS.glob("*.webp"))]
    pictures = pictures or [_drawn(options.size or SIDE)]
    largest, squares, count = 0.0, 0.0, 0
    for picture in pictures:
        with torch.inference_mode():
            expected = network(torch.from_numpy(picture)).clamp(0, 1).numpy()
        difference = np.abs(np.clip(run(picture), 0, 1) - expected)
        largest = max(largest, float(difference.max()))
        squares, count = squares + float(np.square(difference, dtype=np.float64).sum()), count + difference.size
    psnr = math.inf if squares == 0 else 10 * math.log10(count / squares)
    limit = TOLERANCE["fp16" if options.half else "fp32"]
    if not largest <= limit:  # NaN is beyond it, too
        raise AdairError(
            f"the exported network differs from PyTorch by up to {largest * 255:.3g} of 255 (PSNR {psnr:.1f} dB), more "
            f"than {limit * 255:.2g}, so it was not written; leave out --half, or report this"
        )
    return Comparison(len(pictures), largest, psnr)


def _part(pixels: npt.NDArray[Any], size: int | None) -> npt.NDArray[np.float32]:
    """The upper left of a photo as (1, 3, h, w), repeated where the photo is smaller than the file's one size."""
    photo = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.float32) / np.float32(WHITE[pixels.dtype])
    if size is not None:
        rows, columns = (-(-size // side) for side in photo.shape[:2])
        photo = np.tile(photo, (rows, columns, 1))
    side = size or SIDE
    return _noisy(photo[:side, :side])


def _drawn(side: int) -> npt.NDArray[np.float32]:
    """Waves, an edge and a ramp."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    waves = 0.5 + 0.3 * np.sin(rows * 40) * np.cos(columns * 60) + 0.15 * (columns > 0.5)
    return _noisy(np.stack([waves, rows, 1 - waves], -1))


def _noisy(photo: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal(photo.shape)
    noisy = (photo + NOISE * noise).clip(0, 1).astype(np.float32)
    return np.ascontiguousarray(noisy.transpose(2, 0, 1)[None])
