"""Registration of two images of a scene: by how many pixels one is shifted, and whether they match at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.float64]

LARGEST = 1024  # pixels per side, around the centre, that are compared
SMALLEST_QUARTER = 48  # pixels a side
BAND = 0.1  # cycles per pixel; noise, blur and compression leave little in common at higher frequencies
# Measured on 45 pairs of unrelated photos (at most 9.2 and 0.52) and on damaged copies (rain: from 14 and 0.73 on).
STRONG = 12.0  # standard deviations by which a peak stands out that is not due to chance
SIMILAR = 0.6  # correlation of two coarse images from which they show the same scene


@dataclass(frozen=True)
class Alignment:
    """The position of the second of two images relative to the first.

    Attributes:
        down, right: shift in pixels.
        spread: disagreement of the image's quarters about the shift, in pixels (the median); infinite if the
            image is too small for quarters.
        related: whether the images show the same scene.
        warped: whether the quarters disagree in the way of a rotated or scaled image.
    """

    down: float
    right: float
    spread: float
    related: bool
    warped: bool


def align(first: Gray, second: Gray) -> Alignment:
    """Measure how ``second`` is shifted against ``first``, both (height, width), by phase correlation.

    The peak of the phase correlation (Kuglin and Hines 1975), restricted to low frequencies, gives whole pixels. On
    the overlap of both images, it is then located between pixels with a finer Fourier sum (as in Guizar-Sicairos et
    al. 2008, Optics Letters 33(2)), for the whole and for each quarter.
    """
    first, second = _middle(first), _middle(second)
    (down, right), strength = _jump(first, second)
    one, other = _shared(first, second, round(down), round(right))
    fine, _ = _peak(one, other, whole=False)
    total = (round(down) + fine[0], round(right) + fine[1])
    related = strength >= STRONG or abs(similarity(*_coarse(one, other))) >= SIMILAR
    height, width = (side // 2 for side in one.shape)
    if min(height, width) < SMALLEST_QUARTER:
        return Alignment(*total, math.inf, related, False)
    corners = [(slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width)) for i in (0, 1) for j in (0, 1)]
    near = np.array([_peak(one[corner], other[corner], whole=False)[0] for corner in corners])
    far = [_jump(one[corner], other[corner]) for corner in corners]
    return Alignment(*total, _spread(near), related, _warped(far))


def _jump(first: Gray, second: Gray) -> tuple[tuple[float, float], float]:
    """Return the shift in whole pixels, and how clear it is; none if shifting makes the images less similar.

    (Motion blur has a peak at either end of its path, but neither is a shift.)
    """
    (down, right), strength = _peak(first, second, whole=True)
    one, other = _shared(first, second, round(down), round(right))
    if strength < STRONG or similarity(one, other) < similarity(first, second):
        return (0.0, 0.0), strength
    return (down, right), strength


def _spread(shifts: npt.NDArray[np.float64]) -> float:
    return float(np.median(np.linalg.norm(shifts - np.median(shifts, axis=0), axis=1)))


def _warped(quarters: list[tuple[tuple[float, float], float]]) -> bool:
    """Whether the shifts of the quarters are clear and differ as linear functions of the position."""
    shifts = np.array([shift for shift, _ in quarters])
    if min(strength for _, strength in quarters) < STRONG:
        return False
    differ = float(np.linalg.norm(shifts - shifts.mean(axis=0), axis=1).max())
    bent = float(np.linalg.norm(shifts[0] - shifts[1] - shifts[2] + shifts[3])) / 4
    return differ >= 2 and bent <= 0.35 * differ


def shifted(image: npt.NDArray[np.uint8], down: float, right: float) -> npt.NDArray[np.uint8]:
    """Shift an image (height, width, channels), mirrored at its borders.

    Implemented as a phase ramp on the Fourier transform, an interpolation that keeps all detail.
    """
    pad = 16 + math.ceil(max(abs(down), abs(right)))
    padded = np.pad(image.astype(np.float64), ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    rows, columns = np.fft.fftfreq(padded.shape[0]), np.fft.rfftfreq(padded.shape[1])
    ramp = np.exp(-2j * np.pi * (rows[:, None] * down + columns * right))
    moved = np.fft.irfft2(np.fft.rfft2(padded, axes=(0, 1)) * ramp[..., None], padded.shape[:2], axes=(0, 1))
    levels: npt.NDArray[np.uint8] = np.rint(moved[pad:-pad, pad:-pad].clip(0, 255)).astype(np.uint8)
    return levels


def _middle(image: Gray) -> Gray:
    top, left = (max(0, (side - LARGEST) // 2) for side in image.shape)
    return image[top : top + LARGEST, left : left + LARGEST]


def _shared(first: Gray, second: Gray, down: int, right: int) -> tuple[Gray, Gray]:
    """Return the overlap of both images if ``second`` is shifted by this much."""
    height, width = first.shape
    one = first[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    other = second[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
    return one, other


def _peak(first: Gray, second: Gray, whole: bool) -> tuple[tuple[float, float], float]:
    """Return where the phase correlation is highest, and by how many standard deviations.

    Args:
        whole: search all shifts in whole pixels; otherwise shifts of up to one pixel, to a hundredth.
    """
    window = np.outer(np.hanning(first.shape[0]), np.hanning(first.shape[1]))
    one, other = (np.fft.fft2((image - image.mean()) * window) for image in (first, second))
    cross = other * one.conj()
    rows, columns = np.fft.fftfreq(first.shape[0])[:, None], np.fft.fftfreq(first.shape[1])
    band = np.exp(-(rows**2 + columns**2) / (2 * BAND**2))
    cross = band * cross / (np.abs(cross) + 1e-9)
    cross[0, 0] = 0
    if whole:
        surface = np.fft.ifft2(cross).real
        v, h = np.unravel_index(int(surface.argmax()), surface.shape)
        down, right = (int(i) - n if 2 * int(i) > n else int(i) for i, n in zip((v, h), surface.shape, strict=True))
        return (float(down), float(right)), float(surface[v, h] / (surface.std() + 1e-12))
    down = right = 0.0
    for step in (0.1, 0.01):
        offsets = np.arange(-10, 11) * step
        left_hand = np.exp(2j * np.pi * (down + offsets)[:, None] * rows[:, 0])
        right_hand = np.exp(2j * np.pi * columns[:, None] * (right + offsets))
        values = (left_hand @ cross @ right_hand).real
        v, h = np.unravel_index(int(values.argmax()), values.shape)
        down, right = down + float(offsets[v]), right + float(offsets[h])
    return (down, right), 0.0


def similarity(first: Gray, second: Gray) -> float:
    """Return the correlation of two images, -1 to 1."""
    one, other = first - first.mean(), second - second.mean()
    return float((one * other).sum() / (math.sqrt(float((one**2).sum() * (other**2).sum())) + 1e-9))


def _coarse(first: Gray, second: Gray) -> tuple[Gray, Gray]:
    """Return both images reduced to about 32 pixels on the shorter side, which averages noise away."""
    factor = max(2, min(first.shape) // 32)
    return _shrunk(first, factor), _shrunk(second, factor)


def _shrunk(image: Gray, factor: int) -> Gray:
    height, width = (side // factor * factor for side in image.shape)
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor)
    means: Gray = blocks.mean(axis=(1, 3))
    return means
