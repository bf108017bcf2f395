"""Studies on a foundation that is given as a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adair.adapters import create_adapter, options_within
from adair.backbones import build_backbone, complete_config
from adair.errors import AdairError
from adair.studies import strategies
from adair.studies.adapters import usual, variants
from adair.studies.arms import adapted, fine_tuned, foundation, given_facts, scratch
from adair.studies.budget import BUDGETS, find_budget
from adair.studies.networks import Given, Whole
from adair.studies.runner import in_order, work_off
from adair.studies.tasks import TASKS
from adair.studies.workspace import Job, Workspace
from adair.weights import load_foundation, save_foundation

CONFIG = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "mine.safetensors", 0)


def write(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    weights = build_backbone("nafnet", CONFIG).state_dict()
    save_foundation(path, "nafnet", CONFIG, weights, {"training": {"steps": 7, "seconds": 60}})
    return path


def test_all_but_own_networks_stand_on_the_file(make_workspace: Callable[..., Workspace], file: Path) -> None:
    workspace, budget = make_workspace(foundation=file), find_budget("tiny", file)
    recipes = TASKS[0].recipes
    base, networks = foundation(budget, 5), [adapted(budget, recipes, 0), fine_tuned(budget, recipes, 0)]
    work_off(in_order(networks, workspace), workspace)
    given = load_foundation(file)
    assert isinstance(base, Given) and base == foundation(budget, 0)  # whatever the seed
    figures = workspace.result(base)
    assert figures.figures["steps"] == 7 == budget.pretrain_steps and figures.costs["seconds"] == 60
    assert all(one.base == base for one in networks)
    start = base.load(workspace).module.state_dict()
    assert all(torch.equal(tensor, start[name]) for name, tensor in given.model.state_dict().items())
    own = scratch(budget, recipes, 0)
    assert own.base is None and own.shape == base.shape


def test_its_fingerprint_decides_the_keys_and_its_place_does_not(
    make_workspace: Callable[..., Workspace], file: Path, tmp_path: Path
) -> None:
    def key(path: Path, name: str) -> str:
        return make_workspace(name, foundation=path).key(adapted(find_budget("tiny", path), ("noise()",), 0))

    other, copied = write(tmp_path / "other.safetensors", 1), tmp_path / "copy.safetensors"
    copied.write_bytes(file.read_bytes())
    assert key(file, "a") == key(copied, "b") != key(other, "c")


def test_another_file_than_the_study_began_on_is_refused(
    make_workspace: Callable[..., Workspace], file: Path, tmp_path: Path
) -> None:
    job: Job = foundation(find_budget("tiny", file), 0)
    workspace = make_workspace(foundation=write(tmp_path / "other.safetensors", 1))
    with pytest.raises(AdairError, match=r"other.safetensors: is \w{12}, the study began on \w{12}"):
        work_off([job], workspace)


def test_the_bundled_budget_has_the_foundation_and_the_adapter_that_ship() -> None:
    budget, ships = find_budget("bundled"), load_foundation()
    assert complete_config("nafnet", dataclasses.asdict(budget.shape)) == ships.config
    assert budget.foundation == ships.fingerprint and budget.adapter == options_within("merge", ships.model)
    assert BUDGETS["bundled"].adapter == create_adapter("merge", ships.model).options
    assert variants(budget)[0].name == usual(budget).name == "merge, as shipped, rank 12, full 16384"


def test_strategies_compare_with_it(file: Path) -> None:
    budget = find_budget("tiny", file)
    arms = strategies.methods(budget, 0)
    assert arms[strategies.FROZEN].networks() == [foundation(budget, 0)]
    assert all(isinstance(one, Whole) and one.start is None for one in arms[strategies.BOTH].networks())
    assert strategies.WORK not in arms and strategies.WORK in strategies.methods(BUDGETS["tiny"], 0)
    assert "mine" not in given_facts(budget)[0] and budget.foundation[:12] in given_facts(budget)[0]
