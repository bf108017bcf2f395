"""Muon: which weights it takes, what its steps look like, and that a run with it can be resumed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from adair.errors import AdairError
from adair.train.optimiser import LIKE_ADAM, AveragedOptimiser, Muon, orthogonal, suits


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), scale=st.floats(1e-4, 1e4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_directions_stay_and_sizes_become_alike(rows: int, columns: int, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shorter = min(rows, columns)
    left = torch.linalg.qr(torch.randn(rows, shorter, generator=generator))[0]
    right = torch.linalg.qr(torch.randn(columns, shorter, generator=generator))[0]
    values = torch.linspace(0.2, 1, shorter)
    result = orthogonal(((left * values * scale) @ right.mT)[None])[0]
    core = left.mT @ result @ right
    assert result.shape == (rows, columns)
    torch.testing.assert_close(core, core.diag().diag(), atol=1e-3, rtol=0)
    assert core.diag().min() > 0.3 and core.diag().max() < 1.3
    assert core.diag().max() / core.diag().min() < 5  # as given


def test_zero_stays_zero() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 9, 12)), torch.zeros(2, 9, 12))


def test_a_weight_moves_alike_alone_and_among_others() -> None:
    """Weights of one shape take their steps as one batch."""
    shapes = [(16, 8, 1, 1), (16, 8), (8, 16, 1, 1), (16, 8, 1, 1), (8, 4, 2, 2)]
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in shapes]
    gradients = [torch.randn(shape, generator=generator) * 10.0**-index for index, shape in enumerate(shapes)]

    def moved(indices: list[int]) -> list[torch.Tensor]:
        weights = [nn.Parameter(start[index].clone()) for index in indices]
        optimiser = Muon(weights, 0.1, torch.float32)
        optimiser.param_groups[0]["lr"] = 0.1
        for weight, index in zip(weights, indices, strict=True):
            weight.grad = gradients[index].clone()
        optimiser.step()
        return [weight.detach() for weight in weights]

    together = moved(list(range(len(shapes))))
    for index, weight in enumerate(together):
        torch.testing.assert_close(weight, moved([index])[0], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(weight, start[index], atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ((64, 32, 1, 1), True),
        ((512, 17), True),  # a factor of a low-rank adapter
        ((512, 256, 2, 2), False),  # too dear
        ((32, 1, 3, 3), False),  # depthwise
        ((32, 3, 3, 3), False),  # first layer: colours are no directions to treat alike
        ((64,), False),
        ((), False),
    ],
)
def test_takes_matrices_that_mix_channels(shape: tuple[int, ...], taken: bool) -> None:
    assert suits(torch.zeros(shape)) is taken


def test_a_step_is_as_long_as_the_learning_rate_says() -> None:
    weight = nn.Parameter(torch.zeros(16, 8, 2, 2).to(memory_format=torch.channels_last))
    optimiser = Muon([weight], 0.0, torch.float32)
    for group in optimiser.param_groups:
        group["lr"] = 0.1
    weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    optimiser.step()
    length = float(weight.detach().square().mean().sqrt())
    assert length == pytest.approx(0.1 * LIKE_ADAM, rel=0.35)
    assert float((weight.detach() * weight.grad).sum()) < 0  # downhill


def test_weights_decay() -> None:
    weight = nn.Parameter(torch.ones(8, 8))
    optimiser = Muon([weight], 0.5, torch.float32)
    for group in optimiser.param_groups:
        group["lr"] = 0.1
    weight.grad = torch.zeros(8, 8)
    optimiser.step()
    torch.testing.assert_close(weight.detach(), torch.full((8, 8), 0.95))


def _network() -> dict[str, nn.Parameter]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 16, 1), nn.Conv2d(16, 8, 3, padding=1))
    return dict(model.named_parameters())


def _train(optimiser: AveragedOptimiser, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for parameter in optimiser.parameters.values():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimiser.update(1e-2, step + 1)


@pytest.mark.parametrize("muon", [True, False])
def test_a_state_goes_on_as_if_never_interrupted(muon: bool) -> None:
    whole, first, second = (AveragedOptimiser(_network(), 0.0, 0.9, muon) for _ in range(3))
    _train(whole, range(6))
    _train(first, range(3))
    second.load({name: tensor.clone() for name, tensor in first.tensors().items()}, 3)
    _train(second, range(3, 6))
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, second.tensors()[name]), name


def test_matrices_keep_one_moment() -> None:
    names = set(AveragedOptimiser(_network(), 0.0, 0.9, muon=True).tensors())
    assert "first_moment.0.weight" in names and "second_moment.0.weight" not in names
    assert "second_moment.0.bias" in names


def test_checkpoint_of_another_optimiser_is_refused() -> None:
    optimiser = AveragedOptimiser(_network(), 0.0, 0.9, muon=False)
    with pytest.raises(AdairError, match=r"second_moment.*--optimiser"):
        optimiser.load(AveragedOptimiser(_network(), 0.0, 0.9, muon=True).tensors(), 1)


def test_the_average_keeps_no_graph_of_the_steps() -> None:
    """Or memory grows with every step."""
    weight = nn.Parameter(torch.ones(4, 4))
    optimiser = AveragedOptimiser({"weight": weight}, 0.0, 0.9, muon=True)
    for step in (1, 2):
        weight.grad = torch.ones_like(weight)
        optimiser.update(0.1, step)
    assert optimiser.average["weight"].grad_fn is None and not optimiser.average["weight"].requires_grad
