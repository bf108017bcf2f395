"""What a network sees when it restores: a window around each pixel, not the whole image."""

from __future__ import annotations

import torch
from torch import nn

from adair.backbones.pooling import CELL, ChannelPool
from adair.restore.sessions import merged


class Attention(nn.Module):
    """Channel attention at full resolution, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = ChannelPool(1)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale * self.pool.spread(self.pool(x), *x.shape[-2:])


def test_a_pixel_is_judged_by_a_window_of_160_pixels() -> None:
    """Five cells of 32 pixels; between the middles of cells the means fade over half a cell on either side."""
    network = merged(Attention(), {})
    plain = torch.zeros(1, 1, CELL, 14 * CELL)
    bright = plain.clone()
    bright[..., 6 * CELL : 7 * CELL] = 1  # one cell differs
    with torch.no_grad():
        reached = ((network(bright) - network(plain)).abs() > 0)[0, 0, 0].nonzero().flatten()
    assert (int(reached[0]), int(reached[-1]) + 1) == (4 * CELL - CELL // 2, 9 * CELL + CELL // 2)
