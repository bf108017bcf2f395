from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import adair
from adair.errors import AdairError
from adair.train.config import TrainConfig
from adair.weights import load_foundation

MakeConfig = Callable[..., TrainConfig]
SHAPE = {"width": 4, "blocks": "1/1/1"}
AT_ONCE = {"steps": 1, "learning_rate": 1e-9}  # a run that learns next to nothing reaches what it started from


@pytest.fixture
def foundation(make_config: MakeConfig, tmp_path: Path) -> Path:
    return adair.pretrain(make_config(output=tmp_path / "run", network=SHAPE)).path


def test_pretraining_writes_a_foundation_with_its_card(foundation: Path) -> None:
    names = {"cache", "checkpoint.safetensors", "foundation.config.toml", "foundation.safetensors"}
    assert {path.name for path in foundation.parent.iterdir()} == names
    found = load_foundation(foundation)
    assert found.backbone == "nafnet"
    assert found.card["training"]["steps"] == 6
    assert found.card["recipe"].startswith("noise(")
    assert found.card["validation"]["restored"].keys() == {"recipe"}


def test_it_starts_from_a_foundation_grown_or_with_an_adapter_merged(
    make_config: MakeConfig, foundation: Path, tmp_path: Path
) -> None:
    adapter = make_config(
        "mine",
        output=tmp_path / "mine.safetensors",
        network={"foundation": foundation},
        schedule={"steps": 30, "learning_rate": 1e-2},
        optimiser={"batch": 2, "patch": "16", "average_steps": 2},
    )
    better = adair.adapt(adapter).state.psnr["recipe"]

    def reached(name: str, **network: Any) -> float:
        config = make_config(output=tmp_path / name, network={"start": foundation, **network}, schedule=AT_ONCE)
        return adair.pretrain(config).state.psnr["recipe"]

    plain = reached("a")
    assert plain == pytest.approx(load_foundation(foundation).card["validation"]["restored"]["recipe"], abs=0.05)
    assert reached("wider", width=8, blocks="1/2/1") == pytest.approx(plain, abs=0.05)
    merged = reached("b", start_adapter=tmp_path / "mine.safetensors")
    assert merged == pytest.approx(better, abs=0.05)
    assert merged > plain + 0.1
    assert load_foundation(tmp_path / "a" / "foundation.safetensors").card["training"]["continued_from"]["steps"] == 6


def test_a_start_that_does_not_fit_is_refused(make_config: MakeConfig, foundation: Path, tmp_path: Path) -> None:
    conv = tmp_path / "conv.safetensors"
    network = {"foundation": foundation, "kind": "conv"}
    adair.adapt(make_config("mine", output=conv, network=network, schedule={"steps": 1}))
    for wrong, said in (
        ({"start": foundation, "width": 6}, "whole number of times"),
        ({"start": foundation, "backbone": "restormer"}, "encoder"),
        ({"start": foundation, "blocks": "1,1/1/1,1"}, "levels"),
        ({"start": foundation, "start_adapter": conv}, "kind merge"),
        ({"start_adapter": conv}, "--start"),
    ):
        with pytest.raises(AdairError, match=said):
            adair.pretrain(make_config(output=tmp_path / "new", network=wrong))
    assert not list((tmp_path / "new").glob("*.safetensors"))


def test_blocks_are_those_of_the_backbone_of_the_start(make_config: MakeConfig, tmp_path: Path) -> None:
    shape = {"width": 8, "blocks": "1,1,1,1"}
    network = {"backbone": "restormer", **shape}
    start = adair.pretrain(make_config(output=tmp_path / "run", network=network, schedule=AT_ONCE)).path
    config = make_config(output=tmp_path / "next", network={"start": start, **shape}, schedule=AT_ONCE)
    found = load_foundation(adair.pretrain(config).path)
    assert found.backbone == "restormer" and found.config == load_foundation(start).config
    longer = make_config(output=config.output, network=shape, schedule={**AT_ONCE, "steps": 2})
    assert adair.pretrain(longer, resume=True).state.step == 2
    with pytest.raises(AdairError, match="restormer needs one number for each level"):
        adair.pretrain(make_config(output=tmp_path / "wrong", network={"start": start, "blocks": "1/1/1"}))
    assert not (tmp_path / "wrong").exists()  # refused before photos are read


def test_a_foundation_for_half_the_resolution(make_config: MakeConfig, foundation: Path, tmp_path: Path) -> None:
    begun = make_config(output=tmp_path / "half", network={"start": foundation, "unshuffle": 2}, schedule={"steps": 3})
    path = adair.pretrain(begun).path
    half = load_foundation(path)
    assert half.unshuffle == 2
    assert half.model.intro.weight.shape[-2:] == (6, 6)
    longer = make_config(output=begun.output, schedule={"steps": 2})
    assert adair.pretrain(longer, resume=True, restart_schedule=True).state.step == 5

    with pytest.raises(AdairError, match="unshuffle 2 cannot be one with unshuffle 1"):
        adair.pretrain(make_config(output=tmp_path / "back", network={"start": path, "unshuffle": 1}))
    network = {"foundation": path}
    adapter = adair.adapt(
        make_config("mine", output=tmp_path / "mine.safetensors", network=network, schedule={"steps": 2})
    ).path
    restorer = adair.Restorer.load(path, device="cpu")
    restorer.add_adapter(adapter)
    image = torch.rand(1, 3, 25, 30)
    for task in ("mine", "foundation", "mine=0.5"):
        assert restorer.restore(image, task).shape == image.shape
    restorer.merge_adapter("mine")
    restorer.save_foundation(tmp_path / "merged.safetensors")
    assert load_foundation(tmp_path / "merged.safetensors").unshuffle == 2
