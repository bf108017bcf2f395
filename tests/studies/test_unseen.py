"""The study of unseen degradations: that they are unseen, that networks are reused, and what is made of results."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from adair.bench.datasets import Sample
from adair.bench.inputs import Noise, Small
from adair.degradations import parse_recipe
from adair.degradations.registry import OPERATORS
from adair.degradations.values import Range
from adair.errors import AdairError
from adair.metrics import quantise
from adair.studies import few_shot, forgetting, strategies, unseen
from adair.studies.budget import BUDGETS, Budget
from adair.studies.few_shot import ADAPTER, FULL, OWN, WAYS, learner, learners
from adair.studies.networks import Adapted, Network, Whole
from adair.studies.runner import in_order, work_off
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.tasks import ALL_RECIPES, ALL_TESTS, TASKS, Drawn
from adair.studies.training import FewPairs
from adair.studies.unseen import KNOWN, UNSEEN, Unseen
from adair.studies.verdict import FAILS, HOLDS, OPEN, Verdict
from adair.studies.workspace import Workspace
from adair.tasks import LABORATORY, MIX

if TYPE_CHECKING:
    from adair.studies.tasks import Test

OPERATOR = re.compile(r"\b([a-z]+)\(([^()]*)\)")


def operators(recipe: str) -> set[str]:
    return {name for name, _ in OPERATOR.findall(recipe)}


def most(operator: str, parameter: str) -> float:
    """The highest value that training draws."""
    found = []
    for recipe in (LABORATORY, *ALL_RECIPES):
        for name, settings in OPERATOR.findall(recipe):
            if name == operator:
                value = re.search(rf"\b{parameter}=([^=]*?)(?:, \w+=|$)", settings)
                default = next(one.default for one in OPERATORS[name].parameters if one.name == parameter)
                high = default.high if isinstance(default, Range) else default.number  # type: ignore[union-attr]
                found.append(max(map(float, re.findall(r"\d+(?:\.\d+)?", value[1]))) if value else high)
    return max(found)


def test_the_reading_of_recipes_that_this_file_relies_on() -> None:
    assert operators("shuffle(noise(sigma=1), blur())") == {"noise", "blur"}
    assert most("noise", "sigma") == 60 and most("rain", "angle") == 45 and most("resize", "scale") == 4


@pytest.mark.parametrize("one", UNSEEN, ids=lambda one: one.test.name)
def test_nobody_saw_it(one: Unseen) -> None:
    source = one.test.source
    if one.family in ("stronger", "other rain angle"):
        recipe = source.recipe if isinstance(source, Drawn) else ""
        if isinstance(source, Noise):
            assert source.sigma > most("noise", "sigma")
        elif isinstance(source, Small):
            assert source.times > most("resize", "scale")
        else:
            parameter = "angle" if "angle" in recipe else "sigma" if "sigma" in recipe else "amount"
            lowest = re.search(rf"{parameter}=([\d.]+?)(?:\.\.|,|\))", recipe)
            assert lowest and float(lowest[1]) > most(one.test.source.recipe.partition("(")[0], parameter)  # type: ignore[attr-defined]
    elif isinstance(source, Drawn):  # not so the resize kernels: training has the bicubic one alone
        assert not any(unseen.known(source, replace(BUDGETS["cpu"], pretraining=recipe)) for recipe in ALL_RECIPES)


def test_what_a_sample_can_meet() -> None:
    found = unseen.combinations(
        parse_recipe("blur() > (noise() | jpeg() > jpeg()) > shuffle(rain()?0.5, resize())").root
    )
    assert found == [Counter(["blur", "noise", "rain", "resize"]), Counter(["blur", "jpeg", "jpeg", "rain", "resize"])]
    budget = replace(BUDGETS["cpu"], pretraining="jpeg() | noise() > blur()")
    assert unseen.known(Drawn("blur(sigma=1) > noise(sigma=1)"), budget) and unseen.known(Drawn("jpeg()"), budget)
    assert not unseen.known(Drawn("jpeg() > jpeg()"), budget) and not unseen.known(Drawn("noise() > jpeg()"), budget)


def test_few_pairs_are_of_degradations_that_nobody_saw() -> None:
    trained = operators(LABORATORY).union(*map(operators, ALL_RECIPES))
    assert all(operators(recipe) - trained for recipe in few_shot.RECIPES.values())


def test_every_task_meets_something_new_and_no_network_is_trained_again(tiny: Budget) -> None:
    known = {scores.network for one in strategies.methods(tiny, 0).values() for scores in one.jobs}
    for rival in unseen.retested(tiny, 0).values():
        assert {scores.network for scores in rival.jobs} <= known
        assert [test for scores in rival.jobs for test in scores.tests] == sorted(
            [one.test for one in UNSEEN], key=lambda test: [task.name for task in TASKS].index(task_of(test))
        )


def task_of(test: Test) -> str:
    return next(one.task for one in UNSEEN if one.test == test)


def test_inputs_are_made(workspace: Workspace) -> None:
    for one in UNSEEN:
        figures = Scores(None, (one.test,), 1, 48).work(workspace).figures[one.test.name]
        assert 5 < figures["psnr"][0] < 60


def test_pairs_are_fixed_nested_and_in_8_bits(workspace: Workspace) -> None:
    recipe = "noise(sigma=25, clip=false)"
    two, one = (FewPairs((recipe,), 2, 2, 16, pairs=count, side=48).photos(workspace) for count in (2, 1))
    assert (len(two), len(one), two.channels) == (2, 1, 6) and two.names[0] == one.names[0]
    assert set(two.names) == set(workspace.photos.names) and not set(two.names) & set(workspace.held_out.names)
    assert (two.photo(0) == one.photo(0)).all() and two.photo(1).shape == (48, 48, 6)
    place = workspace.photos.names.index(one.names[0])
    clean = workspace.photos.subset([place]).centres(48)
    _, given = Drawn(recipe).make(clean, Sample(Path(one.names[0])))
    pixels = torch.from_numpy(one.photo(0)).permute(2, 0, 1).unsqueeze(0) / 255
    assert torch.equal(pixels[:, :3], clean) and torch.allclose(pixels[:, 3:], quantise(given))


def test_more_pairs_than_photos_are_refused_before_anything_is_worked(workspace: Workspace) -> None:
    with pytest.raises(AdairError, match="2 photos for training, but 4 pairs are needed; add photos"):
        in_order(unseen.jobs(BUDGETS["cpu"], 0), workspace)


def test_each_way_learns_from_pairs_alone(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    course = FewPairs(("motion(length=10)",), 2, 2, 16, pairs=1, side=48)
    start = whole()
    networks: list[Network] = [Adapted(course, start, "merge", (("rank", 1),)), Whole(course, start.form, start)]
    work_off(in_order(networks, workspace), workspace)
    for network in networks:
        assert workspace.result(network).figures["steps"] == 2 and "1 pair, 2 steps" in network.title
        before, after = start.tensors(workspace), network.tensors(workspace)
        assert any(not torch.equal(after[name], before.get(name, torch.zeros(()))) for name in after)


def test_ways_differ_in_what_they_begin_from(tiny: Budget) -> None:
    networks = {way: learner(tiny, 0, way, "motion()", 2) for way in WAYS}
    assert networks[ADAPTER].base == networks[FULL].base == strategies.methods(tiny, 0)[strategies.FROZEN].networks()[0]
    assert networks[OWN].base is None and len({network.course for network in networks.values()}) == 1


def test_the_page_says_what_the_results_say(planted: Callable[..., Results]) -> None:
    budget = BUDGETS["cpu"]
    plus = {strategies.BOTH: -1.0, strategies.PROMPTS: 1.0, strategies.ADAIR: 0.0}
    rivals = {one.network: name for name, rival in unseen.retested(budget, 0).items() for one in rival.jobs}
    few = {one.network: key for key, rival in learners(budget, 0).items() for one in rival.jobs}

    def quality(scores: Scores, test: Test) -> float:
        if not scores.task:  # tests of study strategies, and these of its networks, name one
            way, pairs = few[scores.network]
            return 25 + 0.01 * pairs + {ADAPTER: 0.5, FULL: 0.2, OWN: -3}.get(way, 0)
        name = rivals[scores.network]
        known = next(task.tests for task in TASKS if task.name == scores.task)
        forgotten = name == strategies.TUNED and test in ALL_TESTS and test not in known
        return 30 + plus.get(name, -0.3) - 2 * forgotten

    page = unseen.page(planted(budget, quality), 0)
    assert [verdict.outcome for verdict in page.verdicts] == [OPEN, OPEN, HOLDS, HOLDS, FAILS, *[HOLDS] * 7]
    text = "\n".join(part for part in page.parts if isinstance(part, str))
    assert "| Poisson noise | other noise | denoise | 33.20 | 32.50 | 33.20 | 34.50 | 33.20 | 33.50 | 33.20 |" in text
    assert "| cheap camera | adapter |  | 29.01 (29.01 to 29.01) | 29.04 (29.04 to 29.04) |" in text
    assert "| denoise | 33.20 | 31.20 | -2.00 |" in text


def test_what_a_given_foundation_knows_is_not_unseen() -> None:
    budget = replace(BUDGETS["bundled"], pretraining=MIX)
    mixed = {"noise + JPEG", "blur + JPEG"}
    known = {one.test.name for one in unseen.settings(budget) if one.family == KNOWN}
    assert known == {"camera noise", "defocus", "motion", "JPEG twice"} | mixed
    (line,) = unseen.not_new(budget)
    assert "motion blur, cheap camera." in line
    assert not unseen.not_new(BUDGETS["cpu"])
    assert {one.test.name for one in UNSEEN} - {one.test.name for one in unseen.unseen(BUDGETS["cpu"])} == mixed


def test_what_the_foundation_knows_decides_no_claim(planted: Callable[..., Results]) -> None:
    names = {one.test.name for one in unseen.settings(BUDGETS["cpu"]) if one.family == KNOWN}

    def verdicts(lead: float) -> list[Verdict]:
        ours = {one.network for one in unseen.retested(BUDGETS["cpu"], 0)[strategies.ADAIR].jobs}
        results = planted(
            BUDGETS["cpu"], lambda scores, test: 30 + lead * (test.name in names and scores.network in ours)
        )
        return unseen.page(results, 0).verdicts

    assert names and verdicts(0.0) == verdicts(9.0)


def test_forgetting_is_judged_on_the_other_tasks(tiny: Budget) -> None:
    for task, (tuned, frozen) in zip(TASKS, forgetting.pairs(tiny, 0)[0], strict=True):
        assert tuned.tests == frozen.tests and not set(tuned.tests) & set(task.tests) and len(tuned.tests) == 6
        assert tuned.network is not None and tuned.network.base == frozen.network
