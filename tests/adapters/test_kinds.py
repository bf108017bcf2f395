"""New adapters: their tensors, starts, options and sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from adair.adapters import BUDGET, KINDS, AdaptedModel, create_adapter, file_bytes, options_within, save_adapter
from adair.adapters.merge import LowRankDelta
from adair.backbones import build_backbone, named_sites
from adair.errors import AdairError
from adair.weights import Foundation


def test_merge_has_thin_pairs_where_they_are_smaller_and_full_deltas_elsewhere(foundation: Foundation) -> None:
    rank = 3
    expected: dict[str, tuple[int, ...]] = {}
    for name, parameter in foundation.model.named_parameters():
        rows, columns = parameter.shape[0], math.prod(parameter.shape[1:])
        depthwise = parameter.ndim == 4 and parameter.shape[1] == 1 and parameter.shape[-1] > 1
        scale = parameter.ndim == 4 and parameter.shape[0] == 1
        if parameter.ndim == 4 and not depthwise and not scale and rank * (rows + columns) < rows * columns:
            expected |= {f"{name}.up": (rows, rank), f"{name}.down": (rank, columns)}
        else:
            expected[f"{name}.full"] = tuple(parameter.shape)
    adapter = create_adapter("merge", foundation.model, rank=rank)
    assert {name: tuple(tensor.shape) for name, tensor in adapter.state_dict().items()} == expected
    assert any(name.endswith(".up") for name in expected)
    assert any(name.endswith(".full") for name in expected)


def test_small_weights_have_full_deltas_when_they_are_asked_for(foundation: Foundation) -> None:
    limit = 200
    every = dict(foundation.model.named_parameters())
    adapter = create_adapter("merge", foundation.model, rank=1, full=limit)
    kept = {name for name, _ in adapter.named_parameters()}
    thin = {name for name in every if f"{name}.up" in kept}
    alone = {name.removesuffix(".up") for name in create_adapter("merge", foundation.model, rank=1).state_dict()}
    assert thin == {name for name in alone & every.keys() if every[name].numel() > limit}
    assert thin < alone & every.keys()
    assert adapter.options == {"rank": 1, "full": limit}


@pytest.mark.parametrize(("sites", "count"), [("both", 2), ("first", 1), ("second", 1)])
def test_conv_stands_at_the_chosen_sites(foundation: Foundation, sites: str, count: int) -> None:
    adapter = create_adapter("conv", foundation.model, reduction=2, sites=sites)
    every = dict(named_sites(foundation.model))
    branches = adapter.branches()
    assert len(branches) == len(every) * count / 2
    endings = {"both": ("site1", "site2"), "first": ("site1",), "second": ("site2",)}[sites]
    assert branches.keys() == {name for name in every if name.endswith(endings)}
    for name in branches:
        channels, hidden = every[name].channels, max(4, every[name].channels // 2)
        state = {key: tuple(value.shape) for key, value in branches[name].state_dict().items()}
        assert state == {
            "down.weight": (hidden, channels, 1, 1),
            "down.bias": (hidden,),
            "depthwise.weight": (hidden, 1, 3, 3),
            "depthwise.bias": (hidden,),
            "up.weight": (channels, hidden, 1, 1),
            "up.bias": (channels,),
        }


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_is_drawn_from_the_generator_that_is_given(nafnet: Foundation, kind: str) -> None:
    def start(seed: int | None) -> torch.Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        options: dict[str, Any] = {"rank": 2} if kind == "merge" else {}
        adapter = create_adapter(kind, nafnet.model, generator, **options)
        assert all(parameter.requires_grad and parameter.isfinite().all() for parameter in adapter.parameters())
        return torch.cat([parameter.detach().flatten() for parameter in adapter.parameters()])

    state = torch.get_rng_state()
    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))
    assert torch.equal(start(None), start(None))
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is nobody's business


@pytest.mark.parametrize("rank", [2, 4])
def test_low_rank_deltas_start_at_zero_where_gradients_flow(nafnet: Foundation, image: torch.Tensor, rank: int) -> None:
    adapter = create_adapter("merge", nafnet.model, rank=rank)
    thin = [delta for delta in adapter.deltas().values() if isinstance(delta, LowRankDelta)]
    assert thin
    adapted = AdaptedModel(nafnet.model)
    adapted.attach(adapter)
    output = adapted(image)
    assert torch.equal(output, nafnet.model(image))
    output.square().mean().backward()
    assert all(delta.up.grad is not None and delta.up.grad.any() for delta in thin)
    # One step of Adam then moves a weight about as far as in a full delta.
    starts = torch.cat([delta.down.detach().flatten() for delta in thin])
    assert starts.std().item() == pytest.approx(rank**-0.5, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("lora", {}, "unknown kind of adapter 'lora'; known: conv, merge"),
        ("merge", {"reduction": 4}, "unknown option 'reduction'; known: rank"),
        ("merge", {"model": 4}, "unknown option 'model'"),
        ("merge", {"rank": 0}, "rank must be a positive integer, not 0"),
        ("merge", {"rank": 2.0}, "rank must be"),
        ("merge", {"rank": True}, "rank must be"),
        ("merge", {"full": -1}, "full must be an integer of at least 0, not -1"),
        ("merge", {"full": 1.5}, "full must be"),
        ("conv", {"rank": 4}, "unknown option 'rank'; known: reduction, sites"),
        ("conv", {"reduction": -1}, "reduction must be"),
        ("conv", {"sites": "third"}, "sites must be one of both, first, second"),
        ("conv", {"sites": ["both"]}, "sites must be one of"),
    ],
)
def test_wrong_kinds_and_options_are_named(nafnet: Foundation, kind: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(AdairError, match=words):
        if "model" in options:
            from adair.adapters.kinds import empty_adapter

            empty_adapter(kind, nafnet.model, options)
        else:
            create_adapter(kind, nafnet.model, **options)


def test_conv_needs_sites() -> None:
    with pytest.raises(AdairError, match="no sites"):
        create_adapter("conv", torch.nn.Conv2d(3, 3, 1), reduction=2)


@pytest.mark.parametrize("kind", KINDS)
def test_without_options_the_file_fills_the_budget_and_stays_within(kind: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        model = build_backbone("nafnet")
    options = options_within(kind, model)
    adapter = create_adapter(kind, model)
    assert options.items() <= adapter.options.items()
    path = tmp_path / "a.safetensors"
    save_adapter(path, adapter, foundation_fingerprint="0" * 64, task="denoise", card={"note": "x" * 7000})
    size = path.stat().st_size
    assert size <= file_bytes(adapter) <= BUDGET
    assert size > 0.85 * BUDGET
    last, step = ("rank", 1) if kind == "merge" else ("reduction", -1)
    assert file_bytes(create_adapter(kind, model, **{**options, last: options[last] + step})) > BUDGET


def test_small_weights_come_first_but_leave_the_large_ones_a_rank() -> None:
    with torch.device("meta"):
        narrow, wide = build_backbone("nafnet", {"width": 32}), build_backbone("nafnet", {"width": 128})
    options = options_within("merge", narrow)
    assert options["rank"] >= 8
    assert options["full"] >= 64 * 128  # a convolution of the second level
    more = {**options, "rank": 8, "full": min(p.numel() for p in narrow.parameters() if p.numel() > options["full"])}
    assert file_bytes(create_adapter("merge", narrow, **more)) > BUDGET
    assert options_within("merge", wide).keys() == {"rank"}  # too many weights for both


def test_full_deltas_leave_large_weights_a_rank_of_eight() -> None:
    """A byte too few for rank 8 takes full deltas away rather than rank."""
    with torch.device("meta"):
        model = build_backbone("nafnet")
    full = options_within("merge", model)["full"]
    budget = file_bytes(create_adapter("merge", model, rank=8, full=full)) - 1
    within = options_within("merge", model, budget)
    assert within["full"] < full
    assert within["rank"] >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_nothing_fits(nafnet: Foundation, kind: str) -> None:
    with pytest.raises(AdairError, match=f"{kind} adapter: the smallest for this network has .* bytes, over 9000"):
        options_within(kind, nafnet.model, 9000)
