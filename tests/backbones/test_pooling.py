"""Local statistics: what a pixel's channel attention looks at when restoring."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
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


@pytest.mark.parametrize("sides", [(40, 50), (33, 64), (3, 1)])
def test_borders_are_mirrored_together_with_local_statistics(
    random_network: Callable[..., nn.Module], sides: tuple[int, int]
) -> None:
    """The published network extends images with zeros, whose darkness spreads; restoring must not see it."""
    model = random_network("nafnet", {"width": 4, "encoder": [1, 1, 1, 1], "middle": 1, "decoder": [1, 1, 1, 1]})
    x = torch.rand(1, 3, *sides, generator=torch.Generator().manual_seed(1))
    down, right = (-side % 16 for side in sides)
    set_local_statistics(model, 3)
    restored = model(x)
    mirrored = F.pad(x, (0, right, 0, down), mode="replicate")
    for row in range(down):
        mirrored[..., sides[0] + row, :] = mirrored[..., max(0, sides[0] - 1 - row), :]
    for column in range(right):
        mirrored[..., sides[1] + column] = mirrored[..., max(0, sides[1] - 1 - column)]
    assert torch.equal(restored, model(mirrored)[..., : sides[0], : sides[1]])
    set_local_statistics(model, None)
    zeros = model(F.pad(x, (0, right, 0, down)))[..., : sides[0], : sides[1]]
    torch.testing.assert_close(model(x), zeros, atol=1e-6, rtol=0)


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
