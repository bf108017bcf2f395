"""Metrics of an image against its reference: PSNR, SSIM, and the largest difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from adair.errors import AdairError
from adair.images import WHITE, ImageFile, convert_depth
from adair.metrics import luma, ssim

WINDOW = 11  # side of SSIM's window
_ROWS = 256  # rows per strip: large photos are measured in strips, so memory does not grow with their height

PROTOCOLS = {
    "psnr_rgb": "PSNR in dB over all pixels and R, G and B as stored, peak = white",
    "psnr_y": "PSNR in dB of MATLAB's Y (BT.601, 16 to 235), not rounded, peak = 255",
    "ssim_rgb": "SSIM, Gaussian window 11x11, sigma 1.5, windows inside the image, mean of R, G and B",
    "ssim_y": "SSIM of MATLAB's Y, the same window",
    "largest_difference": "in any channel of any pixel, in steps of 8 bits (of 255)",
    "differing": "fraction of the pixels that differ at all",
}


@dataclass(frozen=True)
class Comparison:
    """The metrics of an image; `PROTOCOLS` states how each is measured.

    Args:
        width, height: size of both images.
        crop: pixels left out at each border.
        identical: whether all stored colours are equal.
        psnr_rgb, psnr_y: in dB; None if the images are identical, because it is infinite then.
        ssim_rgb, ssim_y: at most 1; None if the image is smaller than the window.
        largest_difference: 0 to 255.
        differing: 0 to 1.
        notes: what a reader must know about the numbers, one line each.
    """

    width: int
    height: int
    crop: int
    identical: bool
    psnr_rgb: float | None
    psnr_y: float | None
    ssim_rgb: float | None
    ssim_y: float | None
    largest_difference: float
    differing: float
    notes: tuple[str, ...]


def measure(reference: ImageFile, image: ImageFile, crop: int = 0) -> Comparison:
    """Compare the stored colours of two images of the same size; bit depths, and gray and RGB, may differ.

    Args:
        reference, image: as returned by `adair.images.read_image`.
        crop: pixels to leave out at each border (for super-resolution, papers leave out as many as the scale).

    Raises:
        AdairError: images of different sizes, or a crop that leaves nothing.
    """
    _check_sizes(reference, image, crop)
    height, width = (side - 2 * crop for side in reference.pixels.shape[:2])
    squares = {"rgb": 0.0, "y": 0.0}
    ssim_sums = {"rgb": 0.0, "y": 0.0}
    largest, differing = 0.0, 0
    fits = min(height, width) >= WINDOW
    for a, b, rows in _strips(reference, image, crop):
        difference = (a - b)[..., :rows, :].abs()
        largest = max(largest, float(difference.max()))
        differing += int((difference.amax(dim=1) > 0).sum())
        for name, x, y in (("rgb", a, b), ("y", luma(a), luma(b))):
            squares[name] += float((x - y)[..., :rows, :].square().mean(dim=1).sum())
            if fits and (windows := x.shape[-2] - WINDOW + 1) > 0:
                ssim_sums[name] += windows * float(ssim(x, y))
    pixels = height * width
    return Comparison(
        width=reference.pixels.shape[1],
        height=reference.pixels.shape[0],
        crop=crop,
        identical=largest == 0,
        psnr_rgb=_decibel(squares["rgb"] / pixels),
        psnr_y=_decibel(squares["y"] / pixels),
        ssim_rgb=ssim_sums["rgb"] / (height - WINDOW + 1) if fits else None,
        ssim_y=ssim_sums["y"] / (height - WINDOW + 1) if fits else None,
        largest_difference=255 * largest,
        differing=differing / pixels,
        notes=_notes(reference, image, fits),
    )


def _strips(reference: ImageFile, image: ImageFile, crop: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Yield strips of both images, (1, 3, h, W) float64 in 0..1, with the number of rows that are new in each.

    The new rows are followed by the rows of the next strip that SSIM's last windows reach.
    """
    height, width = reference.pixels.shape[:2]
    for top in range(crop, height - crop, _ROWS):
        rows = min(_ROWS, height - crop - top)
        bottom = min(top + rows + WINDOW - 1, height - crop)
        a, b = (_tensor(each, slice(top, bottom), slice(crop, width - crop)) for each in (reference, image))
        yield a, b, rows


def _tensor(image: ImageFile, rows: slice, columns: slice) -> Tensor:
    part = image.pixels[rows, columns]
    tensor = torch.from_numpy(part.astype(np.float64)).div_(WHITE[part.dtype]).permute(2, 0, 1).unsqueeze(0)
    return tensor.expand(-1, 3, -1, -1)


def _decibel(error: float) -> float | None:
    return -10 * math.log10(error) if error > 0 else None


def _check_sizes(reference: ImageFile, image: ImageFile, crop: int) -> None:
    (height, width), (h, w) = reference.pixels.shape[:2], image.pixels.shape[:2]
    if (height, width) != (h, w):
        scale = max(height, h) // min(height, h)
        hint = "give two images of the same size"
        if (height, width) == (w, h):
            hint = "rotate one of them"
        elif scale in (2, 3, 4) and max(width, w) // min(width, w) == scale:
            hint = f"enlarge the smaller one first, for example with adair restore --task sr --scale {scale}"
        raise AdairError(f"the reference is {width}x{height}, the image {w}x{h}; {hint}")
    if crop < 0 or 2 * crop >= min(height, width):
        raise AdairError(f"a crop of {crop} leaves nothing of {width}x{height}; use a smaller one")


def _notes(reference: ImageFile, image: ImageFile, fits: bool) -> tuple[str, ...]:
    notes = [f"reference: {note}" for note in reference.notes] + [f"image: {note}" for note in image.notes]
    if reference.pixels.dtype != image.pixels.dtype:
        notes.append("one has 8 bits, the other 16: white maps to white, one 8-bit step is 257 16-bit steps")
    if reference.pixels.shape[2] != image.pixels.shape[2]:
        notes.append("one is gray, the other RGB: gray counts as R = G = B")
    if reference.alpha is not None or image.alpha is not None:
        notes.append(f"transparency is not compared, and transparent pixels count; {_alpha(reference, image)}")
    if reference.icc != image.icc:
        notes.append("the colour profiles differ: the metrics compare stored values, which therefore look different")
    if not fits:
        notes.append(f"no SSIM: its window is {WINDOW}x{WINDOW} pixels")
    return tuple(notes)


def _alpha(reference: ImageFile, image: ImageFile) -> str:
    if reference.alpha is None or image.alpha is None:
        return f"only the {'image' if reference.alpha is None else 'reference'} has it"
    a, b = (convert_depth(alpha, np.uint16).astype(np.int32) for alpha in (reference.alpha, image.alpha))
    largest = int(np.abs(a - b).max())
    return f"it differs by up to {largest / 257:.4g} of 255" if largest else "it is the same in both"
