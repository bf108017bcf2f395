"""A network at a lower resolution: what it computes before training, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.backbones import CELL, build_backbone
from adair.backbones.nafnet import NAFNet
from adair.backbones.unshuffle import unshuffle
from adair.errors import AdairError

SHAPE = {"width": 4, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


def pair(factor: int) -> tuple[NAFNet, NAFNet]:
    """A network of random weights, and the same at 1/factor of the resolution."""
    torch.manual_seed(0)
    full = NAFNet(**SHAPE).double()
    with torch.no_grad():
        for parameter in full.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    low = NAFNet(**SHAPE, unshuffle=factor).double()
    low.load_state_dict(unshuffle(full.state_dict(), factor))
    return full, low


@settings(deadline=None, max_examples=12)
@given(factor=st.integers(1, 4), high=st.integers(1, 5), wide=st.integers(1, 5))
def test_it_gives_each_square_what_the_network_does_to_the_reduced_image(factor: int, high: int, wide: int) -> None:
    full, low = pair(factor)
    x = torch.rand(2, 3, 4 * high * factor, 4 * wide * factor, dtype=torch.double)
    small = F.avg_pool2d(x, factor)
    with torch.no_grad():
        change = full(small) - small
        assert change.abs().max() > 0.01
        torch.testing.assert_close(low(x), x + F.interpolate(change, scale_factor=factor), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (5, 22), (17, 8)])
def test_any_size(size: tuple[int, int]) -> None:
    _, low = pair(2)
    x = torch.rand(1, 3, *size, dtype=torch.double)
    with torch.no_grad():
        assert low(x).shape == x.shape


def test_pixels_of_a_square_can_learn_different_things() -> None:
    _, low = pair(2)
    low(torch.rand(1, 3, 16, 16, dtype=torch.double)).square().mean().backward()
    assert low.ending.weight.grad is not None and low.intro.weight.grad is not None
    squares = low.ending.weight.grad.unflatten(0, (3, 4))
    assert not torch.allclose(squares[:, 0], squares[:, 1], rtol=1e-3)
    assert not torch.allclose(low.intro.weight.grad[..., 0], low.intro.weight.grad[..., 1], rtol=1e-3)


def test_blocks_are_shared() -> None:
    full, _ = pair(1)
    before = full.state_dict()
    after = unshuffle(before, 2)
    same = [name for name in before if after[name].data_ptr() == before[name].data_ptr()]
    assert set(before) - set(same) == {"intro.weight", "ending.weight", "ending.bias"}


@pytest.mark.parametrize(
    ("levels", "factor", "way"),
    [
        (4, 3, "use unshuffle 1 or 2$"),
        (4, 4, "64 pixels.*use unshuffle 1 or 2$"),
        (5, 2, "unshuffle 1$"),
    ],
)
def test_what_does_not_fit_the_grid_of_tiles_is_refused(levels: int, factor: int, way: str) -> None:
    shape = {"width": 2, "encoder": (0,) * levels, "middle": 0, "decoder": (0,) * levels}
    with pytest.raises(AdairError, match=f"unshuffle {factor} .*{way}"):
        build_backbone("nafnet", shape, factor)


@pytest.mark.parametrize(("levels", "factor"), [(5, 1), (4, 2), (3, 4)])
def test_the_most_levels_of_each_factor(levels: int, factor: int) -> None:
    shape = {"width": 2, "encoder": (0,) * levels, "middle": 0, "decoder": (0,) * levels}
    assert CELL % build_backbone("nafnet", shape, factor).border.multiple == 0


@pytest.mark.parametrize(
    ("name", "factor", "why"), [("nafnet", 5, "outside 1..4"), ("restormer", 2, "full resolution")]
)
def test_what_cannot_be_is_refused(name: str, factor: int, why: str) -> None:
    with pytest.raises(AdairError, match=why):
        build_backbone(name, unshuffle=factor)
