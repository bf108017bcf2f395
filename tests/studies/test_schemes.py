"""The study of pre-training schemes: its recipes, what it recommends, and how alike it finds tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from adair.degradations import parse_recipe
from adair.studies import schemes
from adair.studies.budget import BUDGETS
from adair.studies.networks import Adapted, Whole
from adair.studies.runner import in_order, work_off
from adair.studies.schemes import Similarity, change
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.tasks import TASKS
from adair.studies.training import Course
from adair.studies.verdict import FAILS, HOLDS
from adair.studies.workspace import Workspace

if TYPE_CHECKING:
    from adair.studies.tasks import Test


@pytest.mark.parametrize("name", schemes.recipes())
def test_recipes_can_be_trained_on(name: str) -> None:
    patches = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    degraded = parse_recipe(schemes.recipes()[name]).apply(patches, torch.Generator().manual_seed(0))
    assert degraded.shape == patches.shape and degraded.isfinite().all() and not torch.equal(degraded, patches)


def test_schemes_hold_what_their_names_say() -> None:
    recipes = schemes.recipes()
    assert len(recipes) == 4 + 6 + 5
    for name in schemes.DEGRADATIONS:
        for other, recipe in recipes.items():
            assert (f"{name}(" in recipe) == (name in other or other.startswith("all")), (name, other)
    for task in TASKS:
        assert task.easy.recipe in recipes[schemes.EASY] and task.hard.recipe not in recipes[schemes.EASY]
        assert task.hard.recipe in recipes[schemes.HARD] and task.easy.recipe not in recipes[schemes.HARD]
    assert recipes[schemes.FIXED].index("rain") < recipes[schemes.FIXED].index("noise")


def test_from_scratch_takes_the_steps_of_foundation_and_adapter() -> None:
    methods = schemes.methods(BUDGETS["cpu"], 0)
    own, adapter = (methods[name].networks()[0] for name in (schemes.SCRATCH, schemes.ALONE))
    assert isinstance(own, Whole) and isinstance(adapter, Adapted) and isinstance(adapter.foundation, Whole)
    steps = adapter.foundation.course.steps, adapter.course.steps
    assert steps == (4000, 400) and own.course.steps == sum(steps)


def test_recommendations_follow_the_gains() -> None:
    gains = {
        "one": {"denoise": 1.0, "sr": 0.0, "deblur": 0.0, "derain": 0.0},
        "two": {"denoise": 0.0, "sr": 2.0, "deblur": -1.0, "derain": 1.0},
        "three": {"denoise": 0.95, "sr": 0.5, "deblur": 0.6, "derain": 0.0},
    }
    rows = {str(row[0]): row[1:] for row in schemes.recommended(gains)}
    assert len(rows) == 15
    assert rows["denoise"] == ["**one**", "+1.00", "three"]
    assert rows["sr, derain"] == ["**two**", "+1.50", ""]
    assert rows["denoise, sr, deblur, derain"] == ["**three**", "+0.51", "two"]


def test_agreement_is_that_of_similarity_and_help() -> None:
    cosines = [[1.0, 0.9, 0.1, 0.2], [0.9, 1.0, 0.3, 0.4], [0.1, 0.3, 1.0, 0.5], [0.2, 0.4, 0.5, 1.0]]
    helps = {
        name: {other: cosines[i][j] for j, other in enumerate(schemes.NAMES)}
        for i, name in enumerate(schemes.DEGRADATIONS)
    }
    assert schemes.agreement(helps, cosines) > 0.5
    opposite = {name: {task: -gain for task, gain in row.items()} for name, row in helps.items()}
    assert schemes.agreement(opposite, cosines) == pytest.approx(-schemes.agreement(helps, cosines))


def test_similarity_is_the_cosine_of_what_merging_changes(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    foundation = whole()
    recipes = ("noise(sigma=50)", "blur(sigma=2)", "noise(sigma=50)")
    networks = tuple(Adapted(Course((recipe,), 3, 2, 16), foundation, "merge", (("rank", 1),)) for recipe in recipes)
    job = Similarity(networks)
    work_off(in_order([job], workspace), workspace)
    cosines = workspace.result(job).figures["cosines"]
    assert cosines[0][2] == pytest.approx(1, abs=1e-5) and cosines[0][1] == cosines[1][0] and cosines[0][1] < 0.999

    def merged(network: Adapted) -> torch.Tensor:
        after, before = network.restorer(workspace, "").model, foundation.load(workspace).module
        pairs = zip(after.parameters(), before.parameters(), strict=True)  # type: ignore[union-attr]
        return torch.cat([(one - other).detach().flatten() for one, other in pairs])

    assert torch.allclose(change(networks[0], workspace), merged(networks[0]), atol=1e-6)
    expected = torch.cosine_similarity(merged(networks[0]), merged(networks[1]), dim=0)
    assert cosines[0][1] == pytest.approx(float(expected), abs=1e-3)


def test_the_page_says_what_the_results_say(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    plus = {schemes.SCRATCH: 0.0, schemes.RANDOM: 3.0, schemes.FIXED: 2.0, schemes.EASY: 2.5, schemes.HARD: 2.1}
    rivals = {one.network: name for name, rival in schemes.methods(budget, 0).items() for one in rival.jobs}

    def quality(scores: Scores, test: Test) -> float:
        name = rivals[scores.network]
        own = schemes.UNDONE_BY.get(name) == scores.task
        return 25 + (4 if own else plus.get(name, 2.0))

    cosines = [[float(i == j) for j in range(4)] for i in range(4)]
    cosines[0][1] = cosines[1][0] = 0.75
    page = schemes.page(planted(budget, quality, cosines=cosines), 0)
    assert [verdict.outcome for verdict in page.verdicts] == [HOLDS, FAILS, HOLDS, HOLDS, FAILS, HOLDS]
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert "For all four tasks: **all, random order** (+3.00 dB" in text
    assert (
        "| denoise | **noise** | +4.00 |  |" in text
        and "| sr, deblur, derain | **all, random order** | +3.00 |" in text
    )
    assert "| denoise | 1.00 | 0.75 | 0.00 | 0.00 |" in text
