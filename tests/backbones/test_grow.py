import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.backbones.grow import grow
from adair.backbones.nafnet import NAFNet
from adair.errors import AdairError


def network(seed: int, width: int = 4, encoder: tuple[int, ...] = (1, 2), middle: int = 1) -> NAFNet:
    """A network of random weights, none of them zero."""
    torch.manual_seed(seed)
    model = NAFNet(width, encoder, middle, encoder[::-1]).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def grown(small: NAFNet, large: NAFNet, seed: int = 0) -> NAFNet:
    large.load_state_dict(grow(small.state_dict(), large.double(), torch.Generator().manual_seed(seed)))
    return large


@settings(deadline=None, max_examples=12)
@given(times=st.integers(1, 3), more=st.tuples(*[st.integers(0, 2)] * 3), seed=st.integers(0, 99))
def test_it_computes_the_same(times: int, more: tuple[int, int, int], seed: int) -> None:
    small = network(seed)
    encoder = (1 + more[0], 2 + more[1])
    large = grown(small, NAFNet(4 * times, encoder, 1 + more[2], encoder[::-1]), seed)
    x = torch.rand(2, 3, 12, 16, dtype=torch.double)
    with torch.no_grad():
        assert (small(x) - x).abs().max() > 0.01
        torch.testing.assert_close(large(x), small(x), rtol=1e-9, atol=1e-9)


def test_copies_of_a_channel_learn_different_things() -> None:
    large = grown(network(0), NAFNet(8, (1, 2), 1, (2, 1)))
    large(torch.rand(1, 3, 8, 8, dtype=torch.double)).square().mean().backward()
    for name, parameter in large.named_parameters():
        if name.endswith(("conv1.weight", "conv2.weight", "conv4.weight")):
            assert parameter.grad is not None
            assert not torch.allclose(parameter.grad[0::2], parameter.grad[1::2], rtol=1e-3), name


@pytest.mark.parametrize(
    ("width", "encoder", "why"),
    [
        (6, (1, 2), "whole number of times"),
        (2, (1, 2), "whole number of times"),
        (4, (1, 2, 1), "levels"),
        (4, (1,), "levels"),
        (4, (1, 1), "blocks"),
    ],
)
def test_what_does_not_fit_is_refused(width: int, encoder: tuple[int, ...], why: str) -> None:
    with pytest.raises(AdairError, match=why):
        grown(network(0), NAFNet(width, encoder, 1, encoder[::-1]))
