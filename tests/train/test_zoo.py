"""The recipes of all tasks, and the adapters of the zoo."""

from __future__ import annotations

from pathlib import Path

import pytest

from adair.adapters import load_adapter
from adair.degradations import parse_recipe
from adair.tasks import TASKS, ZOO
from adair.train.objectives import SyntheticPairs
from adair.train.photos import PhotoStore
from adair.train.validation import check_objective
from adair.weights import load_foundation

FOLDER = Path(__file__).resolve().parents[2] / "zoo"


@pytest.mark.parametrize("task", TASKS)
def test_recipes_can_be_trained_and_measured(task: str, photos: PhotoStore) -> None:
    assert len(TASKS[task].validation) >= 2
    for recipe in (TASKS[task].recipe, *TASKS[task].validation.values()):
        check_objective(photos, SyntheticPairs(parse_recipe(recipe)))


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the zoo is part of the checkout only")
def test_adapters_of_the_zoo_fit_the_bundled_foundation_and_say_what_they_gain() -> None:
    foundation = load_foundation()
    files = sorted(FOLDER.glob("*.safetensors"))
    assert {path.stem for path in files} == ZOO.keys()
    for path in files:
        loaded = load_adapter(path, foundation)
        assert loaded.task == path.stem
        assert path.stat().st_size <= 1_900_000
        assert len(loaded.card["measured"]) == len(ZOO[path.stem].validation)
        for row in loaded.card["measured"]:
            assert row["adapter"] > row["input"] + 0.3 and row["adapter"] > row["foundation"], (path.stem, row)
