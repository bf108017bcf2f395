"""A function like those of ``skimage.restoration``."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from adair import Restorer


@lru_cache(1)
def _restorer() -> Restorer:
    return Restorer.load()


def restore_adair(
    image: npt.NDArray[Any], task: str = "auto", *, strength: float = 1.0, channel_axis: int | None = None
) -> npt.NDArray[Any]:
    """Restore an image.

    Args:
        image: gray (H, W), or RGB with its channels along ``channel_axis``; floats in 0..1, uint8 or uint16.
        task: as for `Restorer.restore`.
        strength: how much of the correction to apply.
        channel_axis: None for a gray image.

    Returns:
        An array of the same type and shape.
    """
    if channel_axis is None:
        return _restorer().restore(image, task, strength=strength)
    restored = _restorer().restore(np.moveaxis(image, channel_axis, -1), task, strength=strength)
    return np.moveaxis(restored, -1, channel_axis)
