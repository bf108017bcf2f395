"""Local statistics: what a pixel's channel attention looks at when restoring."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from adair.backbones import CELL, set_local_statistics
from adair.backbones.pooling import ChannelPool

SHALLOW = {"width": 4, "encoder": [1], "middle": 1, "decoder": [1]}


@pytest.mark.parametrize("stride", [1, 8, 32])
@pytest.mark.parametrize("reach", [0, 1, 3])
def test_local_equals_global_where_the_input_is_constant(stride: int, reach: int) -> None:
    pool = ChannelPool(stride)
    x = (
        torch.tensor([0.0, 0.3, 1.0, -7.0], dtype=torch.float64)
        .view(1, 4, 1, 1)
        .expand(1, 4, 3 * CELL // stride + 1, 2 * CELL // stride)
    )
    everywhere = pool(x)
    pool.reach = reach
    attention = pool.spread(pool(x), *x.shape[-2:])
    assert attention.shape == x.shape
    torch.testing.assert_close(attention, everywhere.expand_as(x))


def test_windows_that_cover_the_image_equal_global_statistics(random_network: Callable[..., nn.Module]) -> None:
    model = random_network("nafnet", SHALLOW)
    x = torch.rand(1, 3, 2 * CELL, 3 * CELL, generator=torch.Generator().manual_seed(1))
    everywhere = model(x)
    set_local_statistics(model, 3)
    torch.testing.assert_close(model(x), everywhere, atol=1e-5, rtol=0)
    set_local_statistics(model, 0)
    assert (model(x) - everywhere).abs().max() > 1e-4
    set_local_statistics(model, None)
    assert torch.equal(model(x), everywhere)


def _change_under_shift(model: nn.Module, shift: int) -> float:
    """Greatest difference inside, between an image and the same image without its first ``shift`` columns."""
    width, margin = 16 * CELL, 7 * CELL  # three blocks, each looking 1.5 cells to the side, and the convolutions
    x = torch.rand(1, 3, CELL, width + shift, generator=torch.Generator().manual_seed(1))
    whole, cut = model(x[..., :width]), model(x[..., shift:])
    return (whole[..., margin + shift : width - margin] - cut[..., margin : width - margin - shift]).abs().max().item()


def test_shifting_by_a_cell_keeps_the_interior(random_network: Callable[..., nn.Module]) -> None:
    model = random_network("nafnet", SHALLOW)
    set_local_statistics(model, 0)
    kept = _change_under_shift(model, CELL)
    moved = _change_under_shift(model, CELL // 2)
    assert kept < 1e-5
    assert moved > 10 * kept  # off the grid the windows differ
    set_local_statistics(model, None)
    assert _change_under_shift(model, CELL) > 10 * kept
