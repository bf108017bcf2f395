"""The registry of tasks: names, aliases, and what ships."""

from __future__ import annotations

import pytest

from adair.degradations import parse_recipe
from adair.tasks import BUNDLED, MIX, MIX_VALIDATION, TASKS, ZOO, canonical_name, find_task
from adair.weights import bundled_adapters, read_header


def test_no_name_or_alias_means_two_tasks() -> None:
    names = [name for task in TASKS.values() for name in (task.name, *task.aliases)]
    assert len(names) == len(set(names)) and len(TASKS) == len(BUNDLED) + len(ZOO)
    assert all(name == task.name for name, task in TASKS.items())


@pytest.mark.parametrize("name", ["sr", "upscale", "super-resolution", "Super_Resolution", "UPSCALE"])
def test_aliases_find_their_task(name: str) -> None:
    task = find_task(name)
    assert task is TASKS["sr"] and task.scales == (2, 3, 4)
    assert canonical_name(name) == "sr"


def test_unknown_names_stay_as_they_are() -> None:
    assert canonical_name("Scanner_2") == "Scanner_2" and find_task("Scanner_2") is None


def test_bundled_tasks_are_those_that_ship() -> None:
    files = bundled_adapters()
    assert files.keys() == BUNDLED.keys()
    for name, path in files.items():
        assert read_header(path).metadata["task"] == name


@pytest.mark.parametrize("recipe", [MIX, *MIX_VALIDATION.values()])
def test_recipes_of_the_mix_parse(recipe: str) -> None:
    parse_recipe(recipe)
