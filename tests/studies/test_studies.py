"""The studies: what they would do at each budget, without doing it."""

from __future__ import annotations

import pytest
from PIL import Image

from adair.errors import AdairError
from adair.studies import STUDIES, find_studies
from adair.studies.adapters import the_line
from adair.studies.budget import BUDGETS, find_budget, sized
from adair.studies.networks import Network
from adair.studies.runner import in_order
from adair.studies.scores import Scores
from adair.studies.workspace import Place, Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with as many photos as any budget wants."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(90):
        Image.new("RGB", (64, 64), (number, number, number)).save(folder / f"{number}.png")
    return Workspace(Place(tmp_path_factory.mktemp("runs"), folder, 24, device="cpu", precision="fp32"))


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("budget", BUDGETS)
def test_cells_can_be_described_and_ordered(workspace: Workspace, name: str, budget: str) -> None:
    jobs = in_order(STUDIES[name].jobs(BUDGETS[budget], 0), workspace)
    assert len({workspace.key(job) for job in jobs}) == len(jobs)
    assert any(isinstance(job, Scores) for job in jobs)
    for job in jobs:
        assert job.title and job.workload()[1] > 0


def test_studies_share_their_foundation(workspace: Workspace) -> None:
    keys = {
        name: {
            workspace.key(job) for job in in_order(STUDIES[name].jobs(BUDGETS["cpu"], 0), workspace) if is_network(job)
        }
        for name in ("strategies", "adapters")
    }
    assert len(keys["strategies"] & keys["adapters"]) >= 9  # the foundation, four adapters, four fine-tuned networks


def is_network(job: object) -> bool:
    return isinstance(job, Network)


def test_another_seed_shares_nothing(workspace: Workspace) -> None:
    first, second = (
        {
            workspace.key(job)
            for job in in_order(STUDIES["strategies"].jobs(BUDGETS["cpu"], seed), workspace)
            if is_network(job)
        }
        for seed in (0, 3)  # of three seeds each
    )
    assert not first & second and len(first) == len(second)


def test_the_line_of_the_paper() -> None:
    """1.9 MB on the published Restormer: section 5 of the protocols counts the same numbers."""
    rows = {(row[0].split(",")[0], row[1]): row for row in the_line()}  # type: ignore[attr-defined]
    assert rows["restormer", "conv, reduction 8"][2] == 943_344
    assert rows["restormer", "conv, reduction 4"][5] == "no"
    assert rows["nafnet", "merge, rank 16"][5] == "yes"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AdairError, match="unknown study 'strategy'; choose one of strategies"):
        find_studies("strategy")
    with pytest.raises(AdairError, match="--budget huge: choose one of tiny, cpu, bundled, gpu"):
        find_budget("huge")
    assert len(find_studies("all")) == len(STUDIES)


def test_studies_of_pretraining_take_no_foundation() -> None:
    assert [study.name for study in find_studies("all", given=True)] == [
        "strategies",
        "baselines",
        "unseen",
        "curves",
        "adapters",
    ]
    with pytest.raises(AdairError, match="schemes: pre-trains its own foundations; one can be given to strategies"):
        find_studies("schemes", given=True)


def test_a_smaller_study_is_smaller_in_proportion() -> None:
    budget = sized(BUDGETS["cpu"], steps=100, images=6, seeds=1)
    assert (budget.steps, budget.pretrain_steps, budget.pair_steps, budget.images, budget.seeds) == (100, 400, 50, 6, 1)
    assert budget.lengths == (100, 200, 400, 800)
    assert (budget.scheme_pretraining, budget.scheme_steps) == (1000, 100)
    given = sized(BUDGETS["bundled"], steps=100)
    assert given.pretrain_steps == BUDGETS["bundled"].pretrain_steps and given.seeds == 3
    assert all(sized(one) == one for one in BUDGETS.values())
    assert sized(BUDGETS["cpu"], steps=1).lengths == (1, 2, 4, 8)
    assert sized(BUDGETS["tiny"], steps=1).lengths == (1, 2)  # a half and one would both be 1
