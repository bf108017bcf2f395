"""Several adapters as one: exact where the rank allows it, nearest where it does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adair.adapters import (
    BUDGET,
    STRONGEST,
    AdaptedModel,
    Adapter,
    check_strength,
    file_bytes,
    load_adapter,
    merge_files,
    save_adapter,
)
from adair.adapters.adapter import Combined
from adair.adapters.kinds import fits_within
from adair.adapters.merge import LowRankDelta, MergeAdapter
from adair.errors import AdairError
from adair.weights import Foundation

Maker = Callable[..., Adapter]


def changes(adapter: Adapter, strength: float = 1.0) -> dict[str, Tensor]:
    """What an adapter adds to each weight."""
    with torch.no_grad():
        return {name: delta.added_to(torch.zeros(delta.shape), strength) for name, delta in adapter.deltas().items()}


def combine(
    parts: list[tuple[MergeAdapter, float]], model: torch.nn.Module, rank: int | None = None, budget: int = BUDGET
) -> Combined:
    limits = {} if rank is None else {"rank": rank}
    combined = MergeAdapter.combine(parts, model, fits_within("merge", model, budget), **limits)
    assert combined is not None
    return combined


def distance(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    return math.sqrt(sum(float((first[name] - second[name]).double().square().sum()) for name in first))


def size(change: dict[str, Tensor]) -> float:
    return distance(change, {name: torch.zeros_like(value) for name, value in change.items()})


@pytest.fixture
def parts(nafnet: Foundation, trained: Maker) -> list[tuple[MergeAdapter, float]]:
    """Two adapters of different rank with their strengths."""
    made = [(trained("merge", nafnet.model, seed=rank, rank=rank), s) for rank, s in ((2, 0.7), (3, 0.3))]
    return [(adapter, s) for adapter, s in made if isinstance(adapter, MergeAdapter)]


def blend_of(parts: list[tuple[MergeAdapter, float]]) -> dict[str, Tensor]:
    first, second = (changes(adapter, strength) for adapter, strength in parts)
    return {name: first[name] + second[name] for name in first}


def test_ranks_add_up_and_nothing_is_lost(foundation: Foundation, image: Tensor, trained: Maker) -> None:
    adapters = [trained("merge", foundation.model, seed=rank, rank=rank) for rank in (1, 2)]
    parts = [
        (adapter, s) for adapter, s in zip(adapters, (0.5, 0.25), strict=True) if isinstance(adapter, MergeAdapter)
    ]
    combined = combine(parts, foundation.model)
    assert (combined.facts["exact_rank"], combined.error, combined.adapter.options) == (3, 0.0, {"rank": 3})
    assert any(isinstance(delta, LowRankDelta) for delta in combined.adapter.deltas().values())
    assert distance(changes(combined.adapter), blend_of(parts)) < 1e-6 * size(blend_of(parts))
    adapted, outputs = AdaptedModel(foundation.model), []
    blends: list[dict[Adapter, float]] = [{**dict(parts)}, {combined.adapter: 1.0}]
    for attached in blends:
        adapted.attach(attached)
        with torch.no_grad():
            outputs.append(adapted(image))
    torch.testing.assert_close(*outputs, atol=1e-4, rtol=1e-4)


def test_adapters_that_differ_in_what_they_change_in_full(nafnet: Foundation, trained: Maker) -> None:
    made = [trained("merge", nafnet.model, seed=full, rank=2, full=full) for full in (0, 200)]
    parts = [(adapter, 0.5) for adapter in made if isinstance(adapter, MergeAdapter)]
    combined = combine(parts, nafnet.model)
    assert (combined.facts["exact_rank"], combined.error) == (4, 0.0)
    assert combined.adapter.options == {"rank": 4, "full": 200}
    assert distance(changes(combined.adapter), blend_of(parts)) < 1e-6 * size(blend_of(parts))
    less = combine(parts, nafnet.model, 1)
    assert less.adapter.options == {"rank": 1, "full": 200}
    assert less.error == pytest.approx(
        distance(changes(less.adapter), blend_of(parts)) / size(blend_of(parts)), rel=1e-4
    )


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_smaller_rank_loses_what_it_says_and_more_rank_less(
    nafnet: Foundation, parts: list[tuple[MergeAdapter, float]], rank: int
) -> None:
    exact = blend_of(parts)
    combined = combine(parts, nafnet.model, rank)
    assert combined.adapter.options == {"rank": rank}
    assert combined.error == pytest.approx(distance(changes(combined.adapter), exact) / size(exact), rel=1e-4)
    assert 0 < combined.error < 1
    assert combine(parts, nafnet.model, rank + 1).error < combined.error


def test_every_low_rank_change_is_the_nearest_there_is(
    nafnet: Foundation, parts: list[tuple[MergeAdapter, float]]
) -> None:
    rank, exact = 2, blend_of(parts)
    combined = combine(parts, nafnet.model, rank)
    checked = 0
    for name, delta in combined.adapter.deltas().items():
        found = changes(combined.adapter)[name]
        if isinstance(delta, LowRankDelta):
            values = torch.linalg.svdvals(exact[name].flatten(1).double())
            lost = (found - exact[name]).double().norm()
            torch.testing.assert_close(lost, values[rank:].norm(), atol=1e-5, rtol=1e-3)
            checked += 1
        else:
            torch.testing.assert_close(found, exact[name], atol=1e-6, rtol=0)
    assert checked


def test_a_blend_with_itself_takes_no_more_rank(nafnet: Foundation, trained: Maker) -> None:
    adapter = trained("merge", nafnet.model, rank=3)
    assert isinstance(adapter, MergeAdapter)
    combined = combine([(adapter, 0.6), (adapter, 0.4)], nafnet.model, 3)
    assert combined.error < 1e-5
    assert distance(changes(combined.adapter), changes(adapter)) < 1e-5 * size(changes(adapter))


def test_a_rank_beyond_the_exact_one_is_not_taken(nafnet: Foundation, parts: list[tuple[MergeAdapter, float]]) -> None:
    assert combine(parts, nafnet.model, 50).adapter.options == {"rank": 5}
    with pytest.raises(AdairError, match="rank must be a positive integer, not 0"):
        combine(parts, nafnet.model, 0)


def test_without_a_rank_the_file_stays_within_the_limit(
    nafnet: Foundation, parts: list[tuple[MergeAdapter, float]]
) -> None:
    budget = file_bytes(combine(parts, nafnet.model, 3).adapter)
    combined = combine(parts, nafnet.model, budget=budget)
    assert combined.adapter.options == {"rank": 3}
    assert combined.facts["exact_rank"] == 5
    assert combined.error > 0


def test_what_does_not_fit_is_cut_where_large_weights_are(nafnet: Foundation, trained: Maker) -> None:
    made = [trained("merge", nafnet.model, seed=rank, rank=rank) for rank in (10, 11)]
    parts = [(adapter, 0.5) for adapter in made if isinstance(adapter, MergeAdapter)]
    budget = file_bytes(trained("merge", nafnet.model, rank=8, full=576))
    combined = combine(parts, nafnet.model, budget=budget)
    assert file_bytes(combined.adapter) <= budget
    assert combined.adapter.options["full"] >= 576
    lost = distance(changes(combined.adapter), blend_of(parts)) / size(blend_of(parts))
    assert combined.error == pytest.approx(lost, rel=1e-4)
    assert combined.error > 0


def test_nothing_blended_with_nothing_is_nothing(nafnet: Foundation, trained: Maker) -> None:
    adapter = trained("merge", nafnet.model)
    assert isinstance(adapter, MergeAdapter)
    combined = combine([(adapter, 0.0)], nafnet.model, 1)
    assert combined.error == 0
    assert size(changes(combined.adapter)) == 0


@pytest.fixture
def files(nafnet: Foundation, trained: Maker, tmp_path: Path) -> dict[str, Path]:
    """Adapter files of both kinds."""
    cards: dict[str, dict[str, Any]] = {
        "denoise": {"recipe": "noise(sigma=25)", "licence": "Apache-2.0"},
        "dejpeg": {"recipe": "jpeg(quality=10)", "licence": "CC0-1.0"},
        "mine": {},
        "branches": {},
    }
    paths = {}
    for seed, (task, card) in enumerate(cards.items()):
        adapter = trained("conv" if task == "branches" else "merge", nafnet.model, seed=seed)
        paths[task] = tmp_path / f"{task}.safetensors"
        save_adapter(paths[task], adapter, foundation_fingerprint=nafnet.fingerprint, task=task, card=card)
    return paths


def test_a_merged_file_acts_like_the_blend(
    nafnet: Foundation, image: Tensor, files: dict[str, Path], tmp_path: Path
) -> None:
    weights = {"denoise": 0.5, "dejpeg": 0.25}  # powers of two lose nothing in float16
    merged = merge_files([files[task] for task in weights], list(weights.values()), nafnet)
    path = tmp_path / "new.safetensors"
    save_adapter(path, merged.combined.adapter, foundation_fingerprint=nafnet.fingerprint, task="new", card=merged.card)
    adapted, outputs = AdaptedModel(nafnet.model), []
    blend = {load_adapter(files[task], nafnet).adapter: weight for task, weight in weights.items()}
    for attached in (blend, {load_adapter(path, nafnet).adapter: 1.0}):
        adapted.attach(attached)
        with torch.no_grad():
            outputs.append(adapted(image))
    assert (outputs[0] - nafnet.model(image)).abs().max() > 1e-2
    stored = (outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max()
    assert stored < 1e-3  # full changes are rounded to float16


def test_adapters_for_a_lower_resolution_merge_among_themselves(
    nafnet: Foundation, image: Tensor, trained: Maker, files: dict[str, Path], tmp_path: Path
) -> None:
    half, path = nafnet.unshuffled(2), tmp_path / "half.safetensors"
    save_adapter(path, trained("merge", half.model), foundation_fingerprint=nafnet.fingerprint, task="half")
    merged = merge_files([path, path], [0.5, 0.25], nafnet).combined.adapter
    assert merged.unshuffle == 2
    outputs = []
    for blend in ({load_adapter(path, nafnet).adapter: 0.75}, {merged: 1.0}):
        adapted = AdaptedModel(half.model)
        adapted.attach(blend)
        with torch.no_grad():
            outputs.append(adapted(image))
    torch.testing.assert_close(*outputs, atol=1e-3, rtol=0)
    with pytest.raises(AdairError, match=r"half\.safetensors: works at another resolution than .*denoise"):
        merge_files([files["denoise"], path], [0.5, 0.5], nafnet)


@pytest.mark.parametrize(
    ("weights", "says"),
    [((1, 1), "add up to 2, more than 1; give 0.5,0.5"), ((0.7, 0.6), "add up to 1.3"), ((0, 0), "would do nothing")],
)
def test_weights_that_a_blend_refuses(
    nafnet: Foundation, files: dict[str, Path], weights: tuple[float, float], says: str
) -> None:
    with pytest.raises(AdairError, match=says):
        merge_files([files["denoise"], files["dejpeg"]], weights, nafnet)


def test_the_card_names_the_parents(nafnet: Foundation, files: dict[str, Path]) -> None:
    card = merge_files([files["denoise"], files["dejpeg"], files["mine"]], [0.5, 0.3, 0.2], nafnet, 2).card
    merged = card["merged"]
    assert [(one["file"], one["task"], one["weight"], one["rank"]) for one in merged["parents"]] == [
        ("denoise.safetensors", "denoise", 0.5, 2),
        ("dejpeg.safetensors", "dejpeg", 0.3, 2),
        ("mine.safetensors", "mine", 0.2, 2),
    ]
    assert len({one["fingerprint"] for one in merged["parents"]}) == 3
    assert (merged["rank"], merged["exact_rank"]) == (2, 6)
    assert 0 < merged["relative_error"] < 1
    assert merged["parents"][1]["recipe"] == "jpeg(quality=10)"
    assert card["licence"] == "Apache-2.0 and CC0-1.0 and not stated"


def test_kinds_that_cannot_be_merged_are_named_with_the_way_out(nafnet: Foundation, files: dict[str, Path]) -> None:
    for other in ("denoise", "branches"):
        with pytest.raises(AdairError) as error:
            merge_files([files[other], files["branches"]], [0.7, 0.3], nafnet)
        text = str(error.value)
        assert f"{files['branches']} (kind conv)" in text
        assert f"--adapter {files[other]}" in text
        assert f"--task {other}=0.7,branches=0.3" in text
        assert "\n" not in text


def test_adapters_of_two_foundations_are_refused(
    nafnet: Foundation, other_foundation: Foundation, files: dict[str, Path], trained: Maker, tmp_path: Path
) -> None:
    path = tmp_path / "stranger.safetensors"
    mark = other_foundation.fingerprint
    save_adapter(path, trained("merge", other_foundation.model), foundation_fingerprint=mark, task="stranger")
    with pytest.raises(AdairError, match=r"stranger.safetensors: is for another foundation than .*denoise"):
        merge_files([files["denoise"], path], [0.5, 0.5], nafnet)
    with pytest.raises(AdairError, match=r"stranger.safetensors: is for foundation"):
        merge_files([path], [1.0], nafnet)


@pytest.mark.parametrize(
    ("strengths", "words"),
    [
        ([1.0], "2 adapter files and 1 weights"),
        ([1.0, -0.1], "strength -0.1 is negative and would add damage"),
        ([1.0, 2.1], "strength 2.1 is above 1"),
        ([1.0, float("nan")], "is not a finite number"),
    ],
)
def test_bad_weights_name_the_file(
    nafnet: Foundation, files: dict[str, Path], strengths: list[float], words: str
) -> None:
    with pytest.raises(AdairError, match=words) as error:
        merge_files([files["denoise"], files["dejpeg"]], strengths, nafnet)
    assert "\n" not in str(error.value)
    assert len(strengths) == 1 or str(files["dejpeg"]) in str(error.value)


def test_strengths_that_a_blend_may_have() -> None:
    assert [check_strength("denoise", value) for value in (0, 0.5, STRONGEST)] == [0.0, 0.5, 1.0]
    for value in (True, "1", None, float("inf"), -1e-9, 1.000001):
        with pytest.raises(AdairError, match="'denoise': strength"):
            check_strength("denoise", value)
