"""Limited time: shared out among studies, stopped at checkpoints, and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from adair.studies import STUDIES, runner
from adair.studies.budget import BUDGETS
from adair.studies.networks import Whole
from adair.studies.runner import in_order, work_in_turns
from adair.studies.workspace import Job, Result, Workspace


@dataclass(frozen=True)
class Sum(Job):
    """A job that is done at once."""

    number: int

    @property
    def title(self) -> str:
        return f"sum {self.number}"

    def work(self, workspace: Workspace) -> Result:
        return Result({"sum": self.number}, {})

    def workload(self) -> tuple[str, float]:
        return "sum", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def test_each_group_gets_a_part_of_the_time_and_leaves_what_it_does_not_need(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[float] = []

    @contextmanager
    def limit(seconds: float) -> Iterator[None]:
        parts.append(seconds)
        yield

    monkeypatch.setattr(runner, "time_limit", limit)
    groups = [[Sum(10 * group + job) for job in range(3)] for group in range(3)]
    work_in_turns(groups, workspace, 1, 9000.0)
    assert parts == pytest.approx([3000, 4500, 9000], abs=300)  # each is done at once
    assert all(workspace.done(job) for group in groups for job in group)


def test_a_training_that_is_out_of_time_goes_on_from_its_checkpoint(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole]
) -> None:
    job, stopped, calls = whole(steps=100), make_workspace("stopped"), 0
    while not stopped.done(job):
        work_in_turns([[job]], stopped, 1, 0.05 * 2**calls)
        calls += 1
    work_in_turns([[job]], at_once := make_workspace("at once"), 1)
    ours, theirs = job.tensors(stopped), job.tensors(at_once)
    assert calls > 1 and all((ours[name] == theirs[name]).all() for name in ours)


def test_no_time_is_no_work_and_no_error(workspace: Workspace) -> None:
    work_in_turns([[Sum(1)]], workspace, 1, 0.0)
    work_in_turns([[Sum(1)]], workspace, 1, -5.0)
    assert not workspace.done(Sum(1))


def test_an_interrupt_is_still_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(job: Sum, workspace: Workspace) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sum, "work", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work_in_turns([[Sum(1)]], workspace, 1, 60.0)


@pytest.mark.parametrize("name", STUDIES)
def test_the_first_seed_comes_first_and_nothing_is_left_out(workspace: Workspace, name: str) -> None:
    study, budget = STUDIES[name], replace(BUDGETS["tiny"], seeds=3)
    keys, first, every = (
        [workspace.key(job) for job in in_order(jobs, workspace)]
        for jobs in (study.in_turn(budget, 0), study.jobs(replace(budget, seeds=1), 0), study.jobs(budget, 0))
    )
    assert set(keys) == set(every) and keys[: len(first)] == first
