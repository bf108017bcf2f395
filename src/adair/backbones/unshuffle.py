"""The same network at a lower resolution: its first and last layer for squares of pixels instead of single ones.

The blocks of a foundation know images at any scale, so its weights are a start for a network that works at half the
resolution. The first layer then sees the mean of each square, and every pixel of a square gets the square's correction:
what the foundation would do to the reduced image. Training (of an adapter, which has both layers in full) tells the
pixels of a square apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def unshuffle(weights: Mapping[str, Tensor], factor: int) -> dict[str, Tensor]:
    """Return the weights of a NAFNet for its ``unshuffle`` times ``factor``; blocks are shared, not copied.

    Args:
        weights: the state of a NAFNet with ``unshuffle`` 1.
        factor: 1 or more.
    """
    first = weights["intro.weight"].repeat_interleave(factor, 2).repeat_interleave(factor, 3) / factor**2
    ending = {
        f"ending.{name}": weights[f"ending.{name}"].repeat_interleave(factor**2, 0) for name in ("weight", "bias")
    }
    return {**weights, "intro.weight": first, **ending}
