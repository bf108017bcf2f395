"""Jobs: what decides their key, and that working them again gives the same figures."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adair.adapters import AdaptedModel
from adair.adapters.merge import MergeAdapter
from adair.degradations import parse_recipe
from adair.degradations.registry import OPERATORS
from adair.degradations.values import Number
from adair.errors import AdairError
from adair.studies import training
from adair.studies.networks import Adapted, Whole
from adair.studies.runner import in_order, outlook, work_off
from adair.studies.scores import Scores
from adair.studies.tasks import TASKS
from adair.studies.training import Course, FewPairs
from adair.studies.workspace import Job, Result, Workspace, describe


def test_every_field_decides_the_key(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    job = whole()
    others = [
        whole("noise(sigma=26)"),
        *(whole(**{name: value}) for name, value in (("steps", 4), ("batch", 3), ("patch", 24), ("seed", 1))),
        dataclasses.replace(job, course=dataclasses.replace(job.course, rate=1e-3)),
        dataclasses.replace(job, form=dataclasses.replace(job.form, width=5)),
        dataclasses.replace(job, start=whole()),
        dataclasses.replace(job, start=whole(steps=4)),
        Adapted(job.course, job),
    ]
    keys = [workspace.key(one) for one in (job, *others)]
    assert len(set(keys)) == len(keys)
    assert workspace.key(whole()) == workspace.key(job)
    json.dumps(describe(job))


def test_photos_and_precision_decide_the_key(
    workspace: Workspace, make_workspace: Callable[..., Workspace], whole: Callable[..., Whole]
) -> None:
    assert workspace.key(whole()) == make_workspace("elsewhere").key(whole())
    assert workspace.key(whole()) != make_workspace("fewer", held_out=1).key(whole())
    assert workspace.key(whole()) != make_workspace("bf16", precision="bf16").key(whole())


def test_defaults_decide_the_key(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = Adapted(whole().course, whole(), "merge", (("rank", 1),))
    pairs = dataclasses.replace(whole(), course=FewPairs(("motion(length=9)",), 2, 2, 16))
    before = [make_workspace().key(one) for one in (adapter, pairs)]
    assert before == [make_workspace().key(one) for one in (adapter, pairs)]
    monkeypatch.setattr(MergeAdapter.__init__, "__defaults__", (8, 16))
    motion = OPERATORS["motion"]
    changed = tuple(dataclasses.replace(one, default=Number(0.5)) for one in motion.parameters)
    monkeypatch.setitem(OPERATORS, "motion", dataclasses.replace(motion, parameters=changed))
    parse_recipe.cache_clear()
    after = [make_workspace().key(one) for one in (adapter, pairs)]
    parse_recipe.cache_clear()
    assert not set(before) & set(after)


def test_a_cell_cannot_depend_on_a_place() -> None:
    with pytest.raises(TypeError, match="the path of a file"):
        describe(Path("photos"))


def chain(whole: Callable[..., Whole]) -> Scores:
    """A test of an adapter on a foundation."""
    foundation = whole("noise(sigma=25)", "blur(sigma=1)")
    adapter = Adapted(Course(("noise(sigma=25)",), 3, 2, 16), foundation, "merge", (("rank", 1),))
    return Scores(adapter, TASKS[0].tests, 2, 48)


def test_worked_again_elsewhere_figures_are_the_same(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole]
) -> None:
    first, second = make_workspace("first"), make_workspace("second")
    jobs = in_order([chain(whole)], first)
    work_off(jobs, first)
    work_off(jobs, second)
    assert len(jobs) == 3
    for job in jobs:
        assert first.result(job).figures == second.result(job).figures
        assert json.loads((first.folder(job) / "result.json").read_text())["title"] == job.title
    quality = first.result(jobs[-1]).figures["denoise 25"]
    assert len(quality["psnr"]) == len(quality["ssim"]) == 2
    assert all(5 < value < 60 for value in quality["psnr"])


def test_what_is_done_is_not_done_again(make_workspace: Callable[..., Workspace], whole: Callable[..., Whole]) -> None:
    told: list[str] = []
    workspace = make_workspace(say=told.append)
    jobs = in_order([chain(whole), chain(whole)], workspace)
    assert outlook(jobs, workspace).left == 3 and outlook(jobs, workspace).seconds > 0
    work_off(jobs, workspace)
    assert [line.split("]")[0] for line in told] == ["[1/3", "[2/3", "[3/3"]
    before = workspace.result(jobs[-1])
    work_off(jobs, make_workspace(say=told.append))
    assert len(told) == 3 and workspace.result(jobs[-1]) == before
    assert outlook(jobs, workspace).minutes(2) == 0 and outlook(jobs, workspace).done == 3


def test_an_adapter_stores_its_part_alone(workspace: Workspace, whole: Callable[..., Whole]) -> None:
    course, foundation = Course(("noise(sigma=25)",), 2, 2, 16), whole()
    counts = {}
    for part in ("all", "low-rank", "vectors"):
        job = Adapted(course, foundation, "merge", (("rank", 1),), part)
        work_off(in_order([job], workspace), workspace)
        counts[part] = workspace.result(job).figures["parameters"]
        names = set(job.tensors(workspace))
        assert part == "all" or all(name.endswith((".up", ".down")) == (part == "low-rank") for name in names)
        model = job.restorer(workspace, "")
        assert isinstance(model, AdaptedModel) and model.merged
    assert counts["low-rank"] + counts["vectors"] < counts["all"]


@dataclasses.dataclass(frozen=True)
class Sum(Job):
    """A job without networks: a number plus those that it needs."""

    number: int
    others: tuple[Job, ...] = ()

    @property
    def title(self) -> str:
        return f"sum {self.number}"

    def work(self, workspace: Workspace) -> Result:
        if self.number < 0:
            raise AdairError(f"{self.number} is too small")
        return Result({"sum": self.number + sum(workspace.result(job).figures["sum"] for job in self.others)}, {})

    def workload(self) -> tuple[str, float]:
        return "sum", 1

    def trial(self, workspace: Workspace) -> float:
        return 60.0


def test_needs_come_first_and_only_once(workspace: Workspace) -> None:
    shared = Sum(1)
    left, right = Sum(2, (shared,)), Sum(3, (shared,))
    top = Sum(4, (left, right))
    jobs = in_order([top, right], workspace)
    assert [job.title for job in jobs] == ["sum 1", "sum 2", "sum 3", "sum 4"]
    ahead = outlook(jobs, workspace)
    assert (ahead.minutes(1), ahead.minutes(2), ahead.minutes(9)) == (4, 3, 3)  # a chain of three cannot be shared out
    work_off(jobs, workspace)
    assert workspace.result(top).figures == {"sum": 11}


def test_a_cell_that_another_process_works_on_is_left_to_it(
    workspace: Workspace, make_workspace: Callable[..., Workspace]
) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no such locks")
    job = Sum(1)
    with workspace.claim(job) as mine, make_workspace().claim(job) as theirs:
        assert mine and not theirs
    with make_workspace().claim(job) as free:
        assert free


def test_a_cell_that_fails_leaves_no_result(workspace: Workspace) -> None:
    job = Sum(-1)
    with pytest.raises(AdairError, match="too small"):
        work_off([job], workspace)
    assert not workspace.done(job)
    (workspace.folder(job) / "result.json").write_text("{")
    with pytest.raises(AdairError, match="delete it to run the job again"):
        workspace.result(job)


def test_stopped_by_a_signal_it_goes_on(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "PROGRESS_SECONDS", 0.0)
    job = whole(steps=8)
    work_off([job], whole_run := make_workspace("whole"))

    def stop(line: str) -> None:
        if "step 3 " in line:
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = make_workspace("stopped", say=stop)
    with pytest.raises(KeyboardInterrupt):
        work_off([job], stopped)
    assert not stopped.done(job) and (stopped.folder(job) / "checkpoint.safetensors").exists()
    work_off([job], again := make_workspace("stopped"))
    assert_equal(job, whole_run, again)
    assert not (again.folder(job) / "checkpoint.safetensors").exists()


def test_a_signal_at_the_end_of_a_cell_stops_before_the_next(make_workspace: Callable[..., Workspace]) -> None:
    jobs = [Sum(1), Sum(2)]

    def stop(line: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    workspace = make_workspace(say=stop)
    with pytest.raises(KeyboardInterrupt):
        work_off(jobs, workspace)
    assert [workspace.done(job) for job in jobs] == [True, False]


KILLED = """
import os, signal, sys
from pathlib import Path
from adair.backbones.registry import NAFNetConfig
from adair.studies import training
from adair.studies.workspace import Workspace, Place
from adair.studies.networks import Whole
from adair.studies.runner import work_off

training.PROGRESS_SECONDS = training.CHECKPOINT_MINUTES = 0.0

def say(line):
    if "step 5 " in line:
        os.kill(os.getpid(), signal.SIGKILL)

shape = NAFNetConfig(width=4, encoder=(1,), middle=1, decoder=(1,))
job = Whole(training.Course(("noise(sigma=25)",), 8, 2, 16), shape)
work_off([job], Workspace(Place(Path(sys.argv[1]), Path(sys.argv[2]), 2, None, "cpu", "fp32"), say))
"""


def test_killed_it_goes_on_from_its_checkpoint(
    make_workspace: Callable[..., Workspace], whole: Callable[..., Whole], photo_folder: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(photo_folder)]
    assert subprocess.run(words, timeout=120).returncode == -signal.SIGKILL
    job, workspace = whole(steps=8), make_workspace("killed")
    assert not workspace.done(job) and (workspace.folder(job) / "checkpoint.safetensors").exists()
    steps: list[str] = []
    training.PROGRESS_SECONDS, kept = 0.0, training.PROGRESS_SECONDS
    try:
        work_off([job], make_workspace("killed", say=steps.append))
    finally:
        training.PROGRESS_SECONDS = kept
    assert not any("step 3 " in line for line in steps)  # what the checkpoint had is not done again
    work_off([job], whole_run := make_workspace("whole"))
    assert_equal(job, whole_run, workspace)


def assert_equal(job: Whole, first: Workspace, second: Workspace) -> None:
    assert first.result(job).figures == second.result(job).figures
    ours, theirs = job.tensors(first), job.tensors(second)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
