"""Adapters that are trained together with their foundation: what moves, what is written, what can be resumed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import adair
from adair.adapters import load_adapter
from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.tasks import BUNDLED
from adair.train.config import TrainConfig
from adair.train.state import Callback
from adair.weights import load_foundation
from adair.weights.files import read_header, read_tensors

MakeConfig = Callable[..., TrainConfig]
SHAPE = {"width": 4, "blocks": "1/1/1"}
TASKS = ("denoise", "deblur")


@pytest.fixture
def together(make_config: MakeConfig, tmp_path: Path) -> Callable[..., TrainConfig]:
    def make(folder: str, steps: int, **rest: Any) -> TrainConfig:
        rest.setdefault("network", SHAPE)
        rest.setdefault("together", TASKS)
        return make_config(output=tmp_path / folder, schedule={"steps": steps, "learning_rate": 1e-3}, **rest)

    return make


def weights(path: Path) -> dict[str, Tensor]:
    return read_tensors(read_header(path))


def change(path: Path) -> float:
    """How far an adapter is from none: the largest value of those that begin at zero."""
    return max(float(value.abs().max()) for name, value in weights(path).items() if not name.endswith("down"))


def test_it_writes_a_foundation_and_adapters_that_fit_it(together: MakeConfig) -> None:
    result = adair.pretrain(together("run", 6))
    folder = result.path.parent
    found = load_foundation(result.path)
    assert found.card["validation"]["restored"].keys() == found.card["validation"]["input"].keys() == {"recipe"}
    for task in TASKS:
        loaded = load_adapter(folder / f"{task}.safetensors", found)
        assert (loaded.task, loaded.adapter.kind) == (task, "merge")
        assert loaded.card["recipe"] == str(parse_recipe(BUNDLED[task].recipe))
        assert loaded.card["training"]["together"] == list(TASKS)
        assert loaded.card["validation"]["restored"].keys() == BUNDLED[task].validation.keys()
    assert {"denoise noise 25", "deblur blur 2.0"} <= result.state.psnr.keys()
    assert TrainConfig.read(folder / "foundation.config.toml").together == TASKS


def test_steps_take_turns_and_each_moves_the_foundation(together: MakeConfig) -> None:
    """After one step only the foundation has moved, after two it and the first adapter, after three all."""
    one, two, three = (adair.pretrain(together(f"{steps}", steps)).path.parent for steps in (1, 2, 3))
    assert [change(folder / "denoise.safetensors") > 0 for folder in (one, two, three)] == [False, True, True]
    assert [change(folder / "deblur.safetensors") > 0 for folder in (one, two, three)] == [False, False, True]
    foundations = [weights(folder / "foundation.safetensors") for folder in (one, two, three)]
    for before, after in pairwise(foundations):
        assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_resumed_run_ends_with_the_same_weights(together: MakeConfig) -> None:
    whole = adair.pretrain(together("whole", 8)).path.parent
    config = together("pieces", 8)
    stopped = config.override({"schedule.max_minutes": 1e-9})
    for _ in range(2):
        adair.pretrain(stopped, resume=(config.output / "checkpoint.safetensors").exists())
    pieces = adair.pretrain(config, resume=True).path.parent
    for name in ("foundation", *TASKS):
        ours, theirs = (weights(folder / f"{name}.safetensors") for folder in (whole, pieces))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_adapters_next_to_the_start_are_taken_up(together: MakeConfig, follow: Callable[..., Callback]) -> None:
    first = adair.pretrain(together("first", 9)).path
    before = change(first.parent / "denoise.safetensors")
    next_to_nothing = {"steps": 1, "learning_rate": 1e-9}
    again = adair.pretrain(together("again", 1, network={"start": first}).override({"schedule": next_to_nothing})).path
    assert change(again.parent / "denoise.safetensors") == pytest.approx(before, rel=1e-3)
    wider = {"start": first, "width": 8}  # for another shape: they begin at zero, and it says so
    said: list[str] = []
    config = together("grown", 1, network=wider).override({"schedule": next_to_nothing})
    grown = adair.pretrain(config, callbacks=[follow(message=said.append)]).path
    assert change(grown.parent / "denoise.safetensors") == 0
    assert [line for line in said if line.startswith("note: denoise begins at zero")]


@pytest.mark.parametrize("names", [("denoise", "nothing"), ("denoise", "denoise"), ("denoise", "noise")])
def test_unknown_and_repeated_tasks_are_refused(together: MakeConfig, names: tuple[str, ...]) -> None:
    with pytest.raises(AdairError, match="--together"):
        adair.pretrain(together("run", 2, together=names))


def test_it_is_for_foundations_and_cannot_change_in_between(make_config: MakeConfig, together: MakeConfig) -> None:
    with pytest.raises(AdairError, match="together: not for adapters"):
        adair.adapt(make_config("denoise", together=TASKS))
    adair.pretrain(together("run", 2))
    with pytest.raises(AdairError, match="together"):
        adair.pretrain(together("run", 4, together=("denoise",)), resume=True)
