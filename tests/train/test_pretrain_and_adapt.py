from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adair.adapters import AdaptedModel, load_adapter
from adair.errors import AdairError
from adair.train.adapt import train_adapter
from adair.train.photos import PhotoStore
from adair.train.plan import Plan
from adair.train.pretrain import train_foundation
from adair.weights import Foundation, fingerprint, load_foundation

MakePlan = Callable[..., Plan]
EXAM = {"noise": "noise(sigma=25)"}


@pytest.fixture
def foundation(make_plan: MakePlan, photos: PhotoStore, tiny_config: dict[str, Any], tmp_path: Path) -> Foundation:
    path, _ = train_foundation(photos, make_plan(), tmp_path / "run", config=tiny_config, exam=EXAM, device="cpu")
    return load_foundation(path)


def test_pretraining_writes_a_foundation_with_its_card(foundation: Foundation, tmp_path: Path) -> None:
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["checkpoint.safetensors", "foundation.safetensors"]
    assert foundation.backbone == "nafnet"
    assert foundation.card["training"]["steps"] == 6
    assert foundation.card["recipe"].startswith("noise(")
    assert foundation.card["validation"]["restored"].keys() == EXAM.keys()


def test_pretraining_goes_on(
    make_plan: MakePlan, photos: PhotoStore, tiny_config: dict[str, Any], tmp_path: Path, foundation: Foundation
) -> None:
    plan = make_plan(steps=9)
    _, report = train_foundation(
        photos, plan, tmp_path / "run", config=tiny_config, exam=EXAM, device="cpu", resume=True
    )
    assert report.step == 9
    with pytest.raises(AdairError, match="config"):
        train_foundation(photos, plan, tmp_path / "run", config={"width": 8}, exam=EXAM, device="cpu", resume=True)


@pytest.mark.parametrize("kind", ["merge", "conv"])
def test_adapting_trains_the_adapter_and_leaves_the_foundation(
    kind: str, make_plan: MakePlan, photos: PhotoStore, foundation: Foundation, tmp_path: Path
) -> None:
    output = tmp_path / "mine.safetensors"
    plan = make_plan("jpeg(quality=10..20)", rate=1e-2)
    report = train_adapter("mine", foundation, photos, plan, output, kind=kind, exam=EXAM, device="cpu")
    assert report.finished
    assert fingerprint(foundation.model.state_dict()) == foundation.fingerprint
    loaded = load_adapter(output, foundation)
    assert loaded.task == "mine"
    assert loaded.card["recipe"] == str(plan.recipe)
    x = torch.rand(1, 3, 24, 24)
    before = foundation.model(x)
    adapted = AdaptedModel(foundation.model)
    adapted.attach(loaded.adapter)
    assert not torch.equal(adapted(x), before)


def test_an_adapter_resumes_and_can_start_from_another(
    make_plan: MakePlan, photos: PhotoStore, foundation: Foundation, tmp_path: Path
) -> None:
    output = tmp_path / "mine.safetensors"
    train_adapter("mine", foundation, photos, make_plan(), output, exam=EXAM, device="cpu")
    report = train_adapter("mine", foundation, photos, make_plan(steps=8), output, exam=EXAM, device="cpu", resume=True)
    assert report.step == 8
    second = tmp_path / "second.safetensors"
    train_adapter("second", foundation, photos, make_plan(rate=1e-9), second, exam=EXAM, device="cpu", start=output)
    earlier = load_adapter(second, foundation).card["training"]["continued_from"]
    assert earlier["steps"] == 8
    first, copy = load_adapter(output, foundation).adapter, load_adapter(second, foundation).adapter
    for a, b in zip(first.parameters(), copy.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    with pytest.raises(AdairError, match="kind"):
        train_adapter(
            "third", foundation, photos, make_plan(), second, kind="conv", exam=EXAM, device="cpu", start=output
        )


def psnr_at_once(path: Path, photos: PhotoStore, make_plan: MakePlan, **start: Any) -> float:
    """What a run that learns next to nothing reaches: what it started from."""
    plan = make_plan(steps=1, rate=1e-9)
    return train_foundation(photos, plan, path, exam=EXAM, device="cpu", **start)[1].psnr["noise"]


def test_pretraining_starts_from_a_foundation_grown_or_with_an_adapter_merged(
    make_plan: MakePlan, photos: PhotoStore, foundation: Foundation, tmp_path: Path
) -> None:
    start = tmp_path / "run" / "foundation.safetensors"
    adapter = tmp_path / "mine.safetensors"
    plan = make_plan(rate=1e-2, steps=30, average=0.5)
    better = train_adapter("mine", foundation, photos, plan, adapter, exam=EXAM, device="cpu").psnr["noise"]
    plain = psnr_at_once(tmp_path / "a", photos, make_plan, start=start)
    assert plain == pytest.approx(foundation.card["validation"]["restored"]["noise"], abs=0.05)
    wider = psnr_at_once(tmp_path / "wider", photos, make_plan, start=start, config={"width": 8, "middle": 2})
    assert wider == pytest.approx(plain, abs=0.05)
    merged = psnr_at_once(tmp_path / "b", photos, make_plan, start=start, start_adapter=adapter)
    assert merged == pytest.approx(better, abs=0.05)
    assert merged > plain + 0.1
    card = load_foundation(tmp_path / "a" / "foundation.safetensors").card
    assert card["training"]["continued_from"]["steps"] == 6


def test_a_start_that_does_not_fit_is_refused(
    make_plan: MakePlan, photos: PhotoStore, foundation: Foundation, tmp_path: Path
) -> None:
    start = tmp_path / "run" / "foundation.safetensors"
    conv = tmp_path / "conv.safetensors"
    train_adapter("mine", foundation, photos, make_plan(steps=1), conv, kind="conv", exam=EXAM, device="cpu")
    for wrong, said in (
        ({"start": start, "config": {"width": 6}}, "whole number of times"),
        ({"start": start, "backbone": "restormer"}, "encoder"),
        ({"start": start, "config": {"encoder": (1, 1), "decoder": (1, 1)}}, "levels"),
        ({"start": start, "start_adapter": conv}, "kind merge"),
        ({"start_adapter": conv}, "--start"),
    ):
        with pytest.raises(AdairError, match=said):
            train_foundation(photos, make_plan(), tmp_path / "new", exam=EXAM, device="cpu", **wrong)
    assert not (tmp_path / "new").exists()
