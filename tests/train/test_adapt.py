from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import adair
from adair.adapters import AdaptedModel, load_adapter
from adair.errors import AdairError
from adair.train.config import TrainConfig
from adair.weights import fingerprint, load_foundation

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def foundation(make_config: MakeConfig, tmp_path: Path) -> Path:
    return adair.pretrain(make_config(output=tmp_path / "run", network={"width": 4, "blocks": "1/1/1"})).path


@pytest.mark.parametrize("kind", ["merge", "conv"])
def test_adapting_trains_the_adapter_and_leaves_the_foundation(
    kind: str, make_config: MakeConfig, foundation: Path, tmp_path: Path
) -> None:
    config = make_config(
        "mine",
        "jpeg(quality=10..20)",
        output=tmp_path / "mine.safetensors",
        network={"foundation": foundation, "kind": kind},
        schedule={"steps": 6, "learning_rate": 1e-2},
    )
    before = foundation.read_bytes()
    result = adair.adapt(config)
    assert result.state.finished and foundation.read_bytes() == before
    loaded_foundation = load_foundation(foundation)
    loaded = load_adapter(result.path, loaded_foundation)
    assert loaded.task == "mine" and loaded.adapter.kind == kind
    assert loaded.card["recipe"] == "jpeg(quality=10..20)"
    x = torch.rand(1, 3, 24, 24)
    alone = loaded_foundation.model(x)
    adapted = AdaptedModel(loaded_foundation.model)
    adapted.attach(loaded.adapter)
    assert not torch.equal(adapted(x), alone)
    assert fingerprint(loaded_foundation.model.state_dict()) == loaded_foundation.fingerprint


def test_an_adapter_for_half_the_resolution(make_config: MakeConfig, foundation: Path, tmp_path: Path) -> None:
    network = {"foundation": foundation, "unshuffle": 2}
    config = make_config("mine", output=tmp_path / "mine.safetensors", network=network, schedule={"steps": 3})
    result = adair.adapt(config)
    loaded = load_adapter(result.path, load_foundation(foundation)).adapter
    assert loaded.unshuffle == 2
    restorer = adair.Restorer.load(foundation, device="cpu")
    restorer.add_adapter(result.path)
    image = torch.rand(1, 3, 25, 30)
    assert restorer.restore(image, "mine").shape == image.shape
    longer = make_config("mine", output=config.output, network=network, schedule={"steps": 5})
    assert adair.adapt(longer, restart_schedule=True).state.step == 8

    for options, why in [
        ({"start": result.path}, "has unshuffle 2, not 1"),
        ({"kind": "conv", "unshuffle": 2}, "needs --kind merge"),
        ({"unshuffle": 9}, "outside 1..4"),
        ({"unshuffle": 0}, "outside 1..4"),
    ]:
        other = {"foundation": foundation, **options}
        with pytest.raises(AdairError, match=why):
            adair.adapt(make_config("other", output=tmp_path / "other.safetensors", network=other))
    with pytest.raises(AdairError, match="has unshuffle 2, not 1"):
        start = {"start": foundation, "start_adapter": result.path}
        adair.pretrain(make_config(output=tmp_path / "next", network=start))


def test_an_adapter_can_start_from_another(make_config: MakeConfig, foundation: Path, tmp_path: Path) -> None:
    network = {"foundation": foundation}
    first = adair.adapt(make_config("mine", output=tmp_path / "mine.safetensors", network=network)).path
    second = make_config(
        "second",
        output=tmp_path / "second.safetensors",
        network={**network, "start": first},
        schedule={"steps": 6, "learning_rate": 1e-9},
    )
    frozen = load_foundation(foundation)
    copy, original = load_adapter(adair.adapt(second).path, frozen), load_adapter(first, frozen)
    assert copy.card["training"]["continued_from"]["steps"] == 6
    for a, b in zip(original.adapter.parameters(), copy.adapter.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    for steps in (8, 9):  # the checkpoint knows it as well
        longer = make_config("second", output=second.output, network=network, schedule={"steps": steps})
        resumed = adair.adapt(longer, resume=True).path
        assert load_adapter(resumed, frozen).card["training"]["continued_from"]["steps"] == 6
    with pytest.raises(AdairError, match="kind merge, not conv"):
        adair.adapt(second.override({"network.kind": "conv", "output": tmp_path / "third.safetensors"}))
