"""No more flicker than the source has: what sharpens a picture also sharpens the noise that differs in every frame.

Where the source stands still, its frames differ by noise alone. If the restored frames differ by more there, their
change from frame to frame is scaled down to that of the source: a recursive filter over time whose strength is measured
all over the picture. Where something moves, and where the restored frames differ by less (as denoised ones do), nothing
is changed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float32]

CELL = 4  # side in pixels of the squares that changes are averaged over,
REACH = 2  # and then over so many of these on every side
STILL = 3 * 65535 / 255  # a source that changes less than this on average stands still: three levels of 8 bits


class Steady:
    """Follows one video, frame by frame in order."""

    def __init__(self) -> None:
        self._before: tuple[Floats, Pixels] | None = None

    def apply(self, given: Pixels, restored: Pixels) -> Pixels:
        """Return ``restored`` with no more change since the last frame than ``given`` has where it stands still.

        Args:
            given: the source's frame, (H, W, C) of 16 bits.
            restored: what it became, (H, W, C), or a whole number of times larger.
        """
        grey = given.mean(axis=2, dtype=np.float32)
        if self._before is not None:
            change = np.subtract(restored, self._before[1], dtype=np.float32)
            scale = len(restored) // len(given)
            allowed = _local(grey - self._before[0], CELL)
            actual = _local(change.mean(axis=2), CELL * scale)
            still = np.clip(2 - 2 * allowed / STILL, 0, 1)  # 1 in what surely stands still, 0 from `STILL` on
            kept = 1 - still * (1 - np.minimum(1, allowed / np.maximum(actual, 1)))
            if kept.min() < 1:
                side = CELL * scale
                full = kept.repeat(side, 0).repeat(side, 1)[: change.shape[0], : change.shape[1]]
                change *= full[..., None]
                change += self._before[1]
                restored = np.rint(change, out=change).clip(0, 65535).astype(np.uint16)
        self._before = grey, restored
        return restored


def _local(change: Floats, side: int) -> Floats:
    """Mean absolute change around every square of ``side`` pixels."""
    height, width = change.shape
    padded = np.pad(np.abs(change), ((0, -height % side), (0, -width % side)), mode="edge")
    cells: Floats = padded.reshape(padded.shape[0] // side, side, -1, side).mean(axis=(1, 3))
    for axis in (0, 1):
        wide = np.pad(cells, [(REACH, REACH) if one == axis else (0, 0) for one in (0, 1)], mode="edge")
        length = cells.shape[axis]
        parts = [wide.take(range(start, start + length), axis) for start in range(2 * REACH + 1)]
        cells = np.mean(parts, axis=0, dtype=np.float32)
    return cells
