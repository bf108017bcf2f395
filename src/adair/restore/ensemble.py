"""Geometric self-ensemble: the mean over all flips and quarter turns of the image.

A network that was trained on flipped and rotated photos gives a slightly different result for each of the eight views,
and their mean is closer to the truth than any one of them; it takes eight times as long. "Enhanced prediction" in
Timofte, Rothe and Van Gool (arXiv 1511.02228), "geometric self-ensemble" in EDSR (arXiv 1707.02921).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Network = Callable[[Tensor], Tensor]
VIEWS = tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))
PLANE = (-2, -1)  # dimensions of height and width


def self_ensemble(network: Network) -> Network:
    """Return a network (N, C, H, W) to the same shape: the mean of ``network`` over the eight views, in float32.

    The views are computed one by one, so that this needs hardly more memory than the network alone.
    """

    def mean(x: Tensor) -> Tensor:
        total = torch.zeros_like(x, dtype=torch.float32)
        for mirrored, turns in VIEWS:
            view = torch.rot90(x.flip(-1) if mirrored else x, turns, PLANE)
            restored = torch.rot90(network(view), -turns, PLANE)
            total += restored.flip(-1) if mirrored else restored
        return total / len(VIEWS)

    return mean
