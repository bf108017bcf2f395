"""What is chosen, is chosen on photos that are neither trained on nor tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adair.studies import adapters, strategies
from adair.studies.arms import scratch
from adair.studies.budget import BUDGETS, Budget
from adair.studies.networks import Trained
from adair.studies.rates import RateChoice, choose_rate, with_rate
from adair.studies.runner import in_order, work_off
from adair.studies.scores import Scores, images_of
from adair.studies.study import Results, rate_facts
from adair.studies.tasks import TASKS
from adair.studies.verdict import HOLDS
from adair.studies.workspace import Workspace

if TYPE_CHECKING:
    from adair.studies.tasks import Test


@pytest.fixture
def choosing(tiny: Budget) -> Budget:
    return replace(tiny, rates=(1e-3, 1.0), validation=1, steps=4, images=1)


def test_photos_of_choices_are_of_no_other_use(make_workspace: Callable[..., Workspace]) -> None:
    workspace = make_workspace(held_out=1, validation=1)
    groups = [set(store.names) for store in (workspace.photos, workspace.held_out, workspace.validation)]
    assert [len(group) for group in groups] == [2, 1, 1] and len(set.union(*groups)) == 4
    test = TASKS[0].tests[0]
    for validation, group in ((False, groups[1]), (True, groups[2])):
        assert {name for name, _, _ in images_of(workspace, test, 9, 48, validation)} == group


def test_the_best_rate_is_chosen_and_trained_with(make_workspace: Callable[..., Workspace], choosing: Budget) -> None:
    workspace = make_workspace(held_out=1, validation=1)
    scores = Scores(scratch(choosing, TASKS[0].recipes, 0), TASKS[0].tests, 1, 48)
    choice = choose_rate(choosing, [scores])
    assert choice is not None and choice.rates == (5e-6, 5e-3)
    trials = [one.network for trials in choice.trials for one in trials]
    assert all(isinstance(one, Trained) and one.course.steps == 2 for one in trials)
    network = with_rate(scores.network, choice)
    assert isinstance(network, Trained) and workspace.key(network) != workspace.key(scores.network)  # type: ignore[arg-type]
    work_off(in_order([network], workspace), workspace)
    figures = workspace.result(choice).figures
    assert figures["rate"] == choice.rates[figures["psnr"].index(max(figures["psnr"]))]
    by_hand = replace(network, choice=None, course=replace(network.course, rate=figures["rate"]))
    work_off([by_hand], workspace)
    ours, theirs = network.tensors(workspace), by_hand.tensors(workspace)
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_one_rate_for_all_tasks_and_seeds_of_a_method() -> None:
    for name, one in strategies.methods(BUDGETS["cpu"], 0).items():
        networks = [network for seed in range(3) for network in one.networks(seed)]
        choices = {network.choice for network in networks if isinstance(network, Trained)}
        assert choices == {None} if name == strategies.FROZEN else len(choices) == (name != "input"), name
        assert name in ("input", strategies.FROZEN) or None not in choices


def test_the_adapter_of_a_claim_is_the_best_on_validation_photos(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    names = {one.network: name for name, rival in adapters.trained(budget, 0).items() for one in rival.jobs}
    favourite, other = adapters.merge(2).name, adapters.conv("first", 4).name

    def quality(scores: Scores, test: Test) -> float:
        name = names.get(scores.network, "")  # type: ignore[arg-type]
        return 30 + (name == favourite) if scores.validation else 30 + 2 * (name == other)

    figures = {"parameters": 10, "bytes": 10, "steps": 1}
    results = planted(budget, quality, **figures)
    page = adapters.page(results, 0)
    assert f"({favourite})" in page.verdicts[0].claim and page.verdicts[0].outcome == HOLDS
    assert any(line.startswith("Learning rate of each method: the best of 3") for line in page.protocol)


def test_a_page_says_where_a_rate_is_at_the_end_of_its_range(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    methods = strategies.methods(budget, 0)
    results = planted(budget, lambda scores, test: 30.0, rate=1e-2)
    (line,) = rate_facts(results, [methods[strategies.BOTH], methods[strategies.FROZEN]])
    assert f"{strategies.BOTH} 0.01 (the end of the range)." in line and strategies.FROZEN not in line
    assert isinstance(next(iter(methods[strategies.BOTH].networks())).choice, RateChoice)  # type: ignore[attr-defined]
