"""Test images: where they come from, how they are cut, and what is never trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import parse_recipe, resize, shrink
from adair.studies.budget import BUDGETS
from adair.studies.scores import Scores, enlarged, images_of, protocol
from adair.studies.tasks import ALL_RECIPES, ALL_TESTS, TASKS
from adair.studies.workspace import Workspace


@pytest.mark.parametrize("test", ALL_TESTS, ids=lambda test: test.name)
def test_inputs_fit_their_clean_images(workspace: Workspace, test: object) -> None:
    found = list(images_of(workspace, test, 5, 48))  # type: ignore[arg-type]
    assert [name for name, _, _ in found] == list(workspace.held_out.names)
    assert not set(workspace.held_out.names) & set(workspace.photos.names)
    for _, clean, given in found:
        assert clean.shape == (1, 3, 48, 48)
        assert given.shape == (1, 3, 48 // test.scale, 48 // test.scale)  # type: ignore[attr-defined]
        assert enlarged(given, clean, test).shape == clean.shape  # type: ignore[arg-type]


def test_a_crop_of_the_small_image_is_where_the_large_one_is(workspace: Workspace) -> None:
    x4 = TASKS[1].hard.test
    for _, clean, given in images_of(workspace, x4, 2, 48):
        inside = resize(given, (48, 48))[..., 12:-12, 12:-12]
        assert float((inside - clean[..., 12:-12, 12:-12]).abs().mean()) < 0.03
        assert float((shrink(clean, 4)[..., 4:-4, 4:-4] - given[..., 4:-4, 4:-4]).abs().max()) < 0.02


def test_test_sets_take_the_place_of_held_out_photos(make_workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "Kodak24").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(data / "Kodak24" / "kodim01.png")
    workspace, without = make_workspace(data=data), make_workspace()
    noise, rain = TASKS[0].easy.test, TASKS[3].easy.test
    assert [name for name, _, _ in images_of(workspace, noise, 9, 48)] == ["kodim01.png"]
    assert len(list(images_of(workspace, rain, 9, 48))) == 2  # Rain100L is not there
    lines = protocol(workspace, (noise, rain), 9, 48)
    assert "Kodak24" in lines[1] and "held-out" in lines[2] and "held-out" in protocol(without, (noise,), 9, 48)[1]
    job = Scores(None, (noise,), 9, 48)
    assert workspace.key(job) != without.key(job)


def test_easy_is_easier_than_hard(workspace: Workspace) -> None:
    for task in TASKS:
        figures = Scores(None, task.tests, 2, 48).work(workspace).figures
        easy, hard = (sum(figures[test.name]["psnr"]) for test in task.tests)
        assert easy > hard, task.name


def test_every_budget_divides_its_batch(tiny: object) -> None:
    for budget in BUDGETS.values():
        assert budget.batch % len(ALL_RECIPES) == 0 and budget.crop % 12 == 0
    assert [name for name, budget in BUDGETS.items() if budget.meaningless] == ["tiny"]


def test_training_covers_the_tests() -> None:
    """What networks learn keeps the size of patches, and is drawn anew for every sample."""
    patches = torch.rand(4, 3, 32, 32)
    for recipe in ALL_RECIPES:
        assert parse_recipe(recipe).apply(patches, torch.Generator().manual_seed(0)).shape == patches.shape
