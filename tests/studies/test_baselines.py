"""Restormer and PromptIR, made small: their size, shapes and gradients, and the study that compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from adair.backbones.registry import RestormerConfig
from adair.studies import STUDIES, baselines
from adair.studies.baselines import ADAIR, FROZEN, NETWORKS, PROMPTIR, PROMPTIR_ALL, RESTORMER, RESTORMER_ALL
from adair.studies.budget import BUDGETS, Budget, parameters_of
from adair.studies.networks import Adapted, Given, Trained, Whole
from adair.studies.prompts import PromptBlock, Prompted
from adair.studies.runner import in_order, work_off
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.tasks import ALL_RECIPES, TASKS
from adair.studies.training import Course
from adair.studies.verdict import FAILS, HOLDS
from adair.studies.workspace import Workspace

if TYPE_CHECKING:
    from adair.studies.tasks import Test

FORM = RestormerConfig(width=4, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 2, 4, 8))


@pytest.mark.parametrize("name", ["cpu", "bundled", "gpu"])
@pytest.mark.parametrize("prompts", [False, True])
def test_they_are_about_as_large_as_the_other_studies_networks(name: str, prompts: bool) -> None:
    budget = BUDGETS[name]
    parameters = baselines.size(baselines.shape(budget, prompts), prompts)
    assert parameters == pytest.approx(parameters_of(budget.shape), rel=0.1)


def test_at_their_published_size_they_have_the_published_parameters() -> None:
    assert baselines.size(RestormerConfig(), prompts=False) == parameters_of(RestormerConfig()) == 26_126_644
    assert baselines.size(RestormerConfig(), prompts=True) == pytest.approx(35.6e6, rel=0.05)  # reported for PromptIR


@pytest.mark.parametrize("network", [Whole, Prompted])
@pytest.mark.parametrize("side", [1, 15, 16])
def test_any_size_is_restored_and_every_weight_learns(
    workspace: Workspace, network: type[Whole] | type[Prompted], side: int
) -> None:
    model = network(Course(("noise()",), 1, 2, 16), FORM).build(workspace)
    x = torch.rand(2, 3, side, side + 3)
    y = model.module(x)
    assert y.shape == x.shape
    y.square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.trained.values())


def test_padding_is_not_seen(workspace: Workspace) -> None:
    model = Prompted(Course(("noise()",), 1, 2, 16), FORM).build(workspace).module
    x = torch.rand(1, 3, 13, 20)
    with torch.no_grad():
        extended = torch.nn.functional.pad(x, (0, 4, 0, 3), mode="replicate")
        assert torch.allclose(model(x), model(extended)[..., :13, :20], atol=1e-6)


def test_promptir_has_a_prompt_block_before_every_upsampling(workspace: Workspace) -> None:
    module = Prompted(Course(("noise()",), 1, 2, 16), FORM).build(workspace).module
    blocks = [getattr(module, name)[0] for name in ("up4_3", "up3_2", "up2_1")]
    assert all(isinstance(block, PromptBlock) for block in blocks)
    assert [block.weigh.in_features for block in blocks] == [32, 16, 8]
    features = torch.rand(1, 8, 6, 6)
    assert not torch.allclose(blocks[2](features), blocks[2](features.flip(1)), atol=1e-4)


def test_each_learns_one_task_or_all(tiny: Budget) -> None:
    found = baselines.methods(replace(tiny, seeds=2), 3)
    for name, (network, for_all) in NETWORKS.items():
        for seed in (0, 1):
            networks = found[name].networks(seed)
            assert all(type(one) is network and one.base is None for one in networks)
            courses = [one.course for one in networks if isinstance(one, Trained)]
            assert {course.seed for course in courses} == {3 + seed}
            wanted = [ALL_RECIPES] if for_all else [task.recipes for task in TASKS]
            assert [course.recipes for course in courses] == wanted
            assert {course.steps for course in courses} == {tiny.steps * (4 if for_all else 1)}


def test_adapters_stand_on_a_restormer_unless_a_foundation_is_given(tiny: Budget) -> None:
    found = baselines.methods(tiny, 0)
    (foundation,) = found[FROZEN].networks()
    assert isinstance(foundation, Whole) and foundation.form == baselines.shape(tiny)
    assert all(isinstance(one, Adapted) and one.foundation == foundation for one in found[ADAIR].networks())
    given = baselines.methods(replace(tiny, foundation="f" * 64), 0)
    assert all(isinstance(one, Given) for one in given[FROZEN].networks())


def test_they_train_and_restore(workspace: Workspace, tiny: Budget) -> None:
    networks = [baselines.own(tiny, 0, name, TASKS[0].recipes) for name in NETWORKS]
    scores = [Scores(one, TASKS[0].tests, 1, 48, "denoise") for one in networks]
    work_off(in_order(scores, workspace), workspace)
    assert all(5 < workspace.result(one).figures["denoise 25"]["psnr"][0] < 60 for one in scores)
    sizes = [workspace.result(one).figures["parameters"] for one in networks]
    assert sizes[0] == sizes[2] < sizes[1] == sizes[3]


def test_the_page_says_what_the_results_say(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    names = {one.network: name for name, rival in baselines.methods(budget, 0).items() for one in rival.jobs}
    better = {RESTORMER: 0.05, PROMPTIR: 0.5, RESTORMER_ALL: -1.0, PROMPTIR_ALL: -0.5}

    def quality(scores: Scores, test: Test) -> float:
        return 30 + better.get(names[scores.network], 0.0)

    page = STUDIES["baselines"].report(planted(budget, quality, parameters=1000, bytes=10, steps=1), 0)
    assert [verdict.outcome for verdict in page.verdicts] == [HOLDS, FAILS, HOLDS, HOLDS, HOLDS]
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert f"| {RESTORMER} | 4 | 4000 |" in text and f"| {PROMPTIR_ALL} | 1 | 1000 |" in text
    assert any("Restormer 1,350,635" in line and "PromptIR 1,335,974" in line for line in page.protocol)
