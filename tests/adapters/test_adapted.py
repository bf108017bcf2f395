"""The life of an adapter on a network: attach, detach, switch, blend, merge, unmerge, train."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from adair.adapters import KINDS, AdaptedModel, Adapter, create_adapter
from adair.adapters.adapted import Blend
from adair.adapters.adapter import Branch
from adair.backbones import build_backbone, set_local_statistics
from adair.errors import AdairError
from adair.weights import Foundation

Maker = Callable[..., Adapter]


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@torch.no_grad()
def _run(model: nn.Module, image: Tensor) -> Tensor:
    output: Tensor = model(image)
    return output


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_adapter_leaves_the_output_bit_identical(foundation: Foundation, image: Tensor, kind: str) -> None:
    before = _run(foundation.model, image)
    adapted = AdaptedModel(foundation.model)
    assert torch.equal(_run(adapted, image), before)
    adapted.attach(create_adapter(kind, foundation.model))
    assert torch.equal(_run(adapted, image), before)
    adapted.merge()
    assert torch.equal(_run(adapted, image), before)


@pytest.mark.parametrize("kind", KINDS)
def test_detaching_restores_the_foundation_bit_by_bit(
    foundation: Foundation, image: Tensor, trained: Maker, kind: str
) -> None:
    before, weights = _run(foundation.model, image), _weights(foundation.model)
    adapted = AdaptedModel(foundation.model)
    for merge in (False, True):
        adapted.attach(trained(kind, foundation.model))
        if merge:
            adapted.merge()
        assert (_run(adapted, image) - before).abs().max() > 1e-3
        adapted.detach()
        assert adapted.attached == {}
        assert torch.equal(_run(adapted, image), before)
        assert torch.equal(_run(foundation.model, image), before)
        assert _same(_weights(foundation.model), weights)


def test_merged_equals_attached_and_unmerging_restores_bit_by_bit(
    foundation: Foundation, image: Tensor, trained: Maker
) -> None:
    weights = _weights(foundation.model)
    adapted = AdaptedModel(foundation.model)
    adapted.attach(trained("merge", foundation.model), strength=0.8)
    attached = _run(adapted, image)
    adapted.merge()
    adapted.merge()  # again: does nothing
    assert adapted.merged
    assert not _same(_weights(foundation.model), weights)
    merged = _run(adapted, image)
    torch.testing.assert_close(merged, attached, atol=1e-5, rtol=0)
    assert torch.equal(_run(foundation.model, image), merged)  # nothing left to do at run time
    adapted.unmerge()
    adapted.unmerge()
    assert not adapted.merged
    assert _same(_weights(foundation.model), weights)
    assert torch.equal(_run(adapted, image), attached)


def test_merging_folds_what_the_adapter_says(nafnet: Foundation, trained: Maker) -> None:
    weights = _weights(nafnet.model)
    adapter = trained("merge", nafnet.model)
    adapted = AdaptedModel(nafnet.model)
    adapted.attach(adapter, strength=0.5)
    adapted.merge()
    state, merged = adapter.state_dict(), _weights(nafnet.model)
    assert merged.keys() == weights.keys()
    for name, weight in weights.items():
        if f"{name}.full" in state:
            change = state[f"{name}.full"]
        else:
            change = (state[f"{name}.up"] @ state[f"{name}.down"]).reshape(weight.shape)
        torch.testing.assert_close(merged[name], weight + 0.5 * change, atol=1e-6, rtol=1e-6)


def test_merging_leaves_branches_at_their_sites(nafnet: Foundation, image: Tensor, trained: Maker) -> None:
    adapted = AdaptedModel(nafnet.model)
    adapted.attach({trained("conv", nafnet.model): 1.0, trained("merge", nafnet.model): 1.0})
    before = _run(adapted, image)
    adapted.merge()
    torch.testing.assert_close(_run(adapted, image), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_is_the_foundation_and_a_blend_of_equals_is_one(
    foundation: Foundation, image: Tensor, trained: Maker, kind: str
) -> None:
    before = _run(foundation.model, image)
    adapter = trained(kind, foundation.model)
    adapted = AdaptedModel(foundation.model)
    adapted.attach(adapter, strength=0)
    assert torch.equal(_run(adapted, image), before)
    adapted.attach(adapter)
    full = _run(adapted, image)
    adapted.attach({adapter: 0.7, copy.deepcopy(adapter): 0.3})
    torch.testing.assert_close(_run(adapted, image), full, atol=1e-4, rtol=1e-4)
    outputs = []
    for strength in (0.0, 0.5, 1.0):
        adapted.attach(adapter, strength)
        assert adapted.attached == {adapter: strength}
        outputs.append(_run(adapted, image))
    assert all((first - second).abs().max() > 1e-3 for first, second in pairwise(outputs))


def test_blended_weights_are_linear_in_the_strengths(nafnet: Foundation, trained: Maker) -> None:
    first, second = trained("merge", nafnet.model, seed=1), trained("merge", nafnet.model, seed=2)
    adapted = AdaptedModel(nafnet.model)
    base = _weights(nafnet.model)

    def merged(strengths: dict[Adapter, float]) -> dict[str, Tensor]:
        adapted.attach(strengths)
        adapted.merge()
        return _weights(nafnet.model)

    one, two, both = merged({first: 1.0}), merged({second: 1.0}), merged({first: 0.25, second: -2.0})
    for name in base:
        expected = base[name] + 0.25 * (one[name] - base[name]) - 2.0 * (two[name] - base[name])
        torch.testing.assert_close(both[name], expected, atol=1e-5, rtol=0)
    adapted.detach()
    assert _same(_weights(nafnet.model), base)


def test_blended_branches_are_linear_in_the_strengths() -> None:
    class Times(Branch):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    x = torch.rand(1, 4, 3, 3)
    blend = Blend([(Times(1.0), 1.0), (Times(10.0), 0.5), (Times(100.0), -0.25)])
    torch.testing.assert_close(blend(x), x * (1 + 5 - 25))


def test_switching_tasks_takes_milliseconds(capsys: pytest.CaptureFixture[str], trained: Maker) -> None:
    with torch.device("meta"):
        model = build_backbone("nafnet")
    model = model.to_empty(device="cpu")
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.01)
    weights = _weights(model)
    adapted = AdaptedModel(model)
    adapters = {kind: [trained(kind, model, seed=seed) for seed in (1, 2)] for kind in KINDS}
    for kind, pair in adapters.items():
        adapted.attach(pair[0])
        adapted.merge()
        start = time.perf_counter()
        adapted.attach(pair[1])
        middle = time.perf_counter()
        adapted.merge()
        end = time.perf_counter()
        assert end - start < 1.0  # milliseconds on an idle machine; this one may be busy
        with capsys.disabled():
            print(f"\n  {kind}: attach {1e3 * (middle - start):.0f} ms, merge {1e3 * (end - middle):.0f} ms ", end="")
    adapted.detach()
    assert _same(_weights(model), weights)


@pytest.mark.parametrize("kind", KINDS)
def test_training_moves_the_adapter_and_nothing_else(
    foundation: Foundation, image: Tensor, trained: Maker, kind: str
) -> None:
    foundation.model.requires_grad_(True)  # even a network that nobody has frozen
    weights = _weights(foundation.model)
    bystander, adapter = trained(kind, foundation.model, seed=1), create_adapter(kind, foundation.model)
    others, start = _weights(bystander), _weights(adapter)
    adapted = AdaptedModel(foundation.model)
    adapted.attach(bystander)
    adapted.attach(adapter)
    trainable = [parameter for parameter in adapted.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in trainable} == {id(parameter) for parameter in adapter.parameters()}
    optimiser = torch.optim.Adam(trainable, lr=0.01)
    losses = []
    for _ in range(4):
        loss = (adapted(image) - 0.5).square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    moved = {name for name, tensor in _weights(adapter).items() if not torch.equal(tensor, start[name])}
    assert moved == start.keys()
    assert _same(_weights(foundation.model), weights)
    assert _same(_weights(bystander), others)
    assert all(parameter.grad is None for parameter in foundation.model.parameters())


def test_attaching_never_changes_what_the_network_calls_its_own(nafnet: Foundation, trained: Maker) -> None:
    names = list(nafnet.model.state_dict())
    adapted = AdaptedModel(nafnet.model)
    adapted.attach({trained("conv", nafnet.model): 1.0, trained("merge", nafnet.model): 0.5})
    assert list(nafnet.model.state_dict()) == names
    assert [name for name, _ in nafnet.model.named_parameters()] == [
        name.removeprefix("model.") for name, _ in adapted.named_parameters() if name.startswith("model.")
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("merge", [False, True])
def test_low_precision_autocast_and_local_statistics(
    nafnet: Foundation, image: Tensor, trained: Maker, kind: str, merge: bool
) -> None:
    image = image[..., :16, :16]  # the border of other sizes is mirrored together with local statistics
    adapted = AdaptedModel(nafnet.model)
    adapted.attach(trained(kind, nafnet.model))
    exact = _run(adapted, image)
    scale = exact.abs().max()
    if merge:
        adapted.merge()
    with torch.autocast("cpu", torch.bfloat16):
        assert (_run(adapted, image) - exact).abs().max() < 0.05 * scale
    set_local_statistics(adapted, 3)
    torch.testing.assert_close(_run(adapted, image), exact, atol=1e-4, rtol=1e-4)
    adapted.to(torch.bfloat16)
    low = _run(adapted, image)
    assert low.dtype == torch.float32
    assert (low - exact).abs().max() < 0.05 * scale


def test_a_float32_adapter_acts_on_a_foundation_held_in_bf16(nafnet: Foundation, image: Tensor, trained: Maker) -> None:
    adapted = AdaptedModel(nafnet.model)
    adapters = {trained("conv", nafnet.model): 1.0, trained("merge", nafnet.model): 1.0}
    adapted.attach(adapters)
    exact = _run(adapted, image)
    adapted.detach()
    weights = _weights(adapted.to(torch.bfloat16))
    adapted.attach(adapters)
    assert (_run(adapted, image) - exact).abs().max() < 0.05 * exact.abs().max()
    adapted.merge()
    adapted.detach()
    assert _same(_weights(adapted), weights)


@pytest.mark.parametrize("kind", KINDS)
def test_compiles_as_one_graph(nafnet: Foundation, image: Tensor, trained: Maker, kind: str) -> None:
    adapter = trained(kind, nafnet.model)
    adapted = AdaptedModel(nafnet.model)
    adapted.attach(adapter, 0.5)
    expected = adapted(image)
    expected.sum().backward()
    gradients = {name: parameter.grad.clone() for name, parameter in adapter.named_parameters()}
    adapter.zero_grad()
    torch.compiler.reset()
    compiled = torch.compile(adapted, backend="aot_eager", fullgraph=True)
    output = compiled(image)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    output.sum().backward()
    for name, parameter in adapter.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_for_another_shape_is_refused_and_the_present_one_stays(
    nafnet: Foundation, image: Tensor, trained: Maker, kind: str
) -> None:
    present = trained("merge", nafnet.model)
    adapted = AdaptedModel(nafnet.model)
    adapted.attach(present)
    before = _run(adapted, image)
    wider = build_backbone("nafnet", {"width": 16, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]})
    deeper = build_backbone("nafnet", {"width": 8, "encoder": [1, 1], "middle": 2, "decoder": [1, 1]})
    for model in (wider, deeper):
        with pytest.raises(AdairError, match=f"the {kind} adapter does not fit this network"):
            adapted.attach(trained(kind, model))
    for strength in (float("nan"), float("inf")):
        with pytest.raises(AdairError, match="is not a finite number"):
            adapted.attach(present, strength)
    assert adapted.attached == {present: 1.0}
    assert torch.equal(_run(adapted, image), before)


def test_a_copy_lives_its_own_life(nafnet: Foundation, image: Tensor, trained: Maker) -> None:
    adapted = AdaptedModel(nafnet.model)
    adapted.attach({trained("conv", nafnet.model): 1.0, trained("merge", nafnet.model): 1.0})
    before = _run(adapted, image)
    twin = copy.deepcopy(adapted)
    assert torch.equal(_run(twin, image), before)
    twin.merge()
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(_run(adapted, image), before)
