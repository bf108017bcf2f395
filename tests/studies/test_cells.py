"""Cells: what decides their key, and that working them again gives the same figures."""

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
from adair.errors import AdairError
from adair.studies import training
from adair.studies.cell import Cell, Result, describe
from adair.studies.lab import Lab
from adair.studies.networks import Adapted, Whole
from adair.studies.runner import in_order, outlook, work_off
from adair.studies.scores import Scores
from adair.studies.tasks import TASKS
from adair.studies.training import Course


def test_every_field_decides_the_key(lab: Lab, whole: Callable[..., Whole]) -> None:
    cell = whole()
    others = [
        whole("noise(sigma=26)"),
        *(whole(**{name: value}) for name, value in (("steps", 4), ("batch", 3), ("patch", 24), ("seed", 1))),
        dataclasses.replace(cell, course=dataclasses.replace(cell.course, rate=1e-3)),
        dataclasses.replace(cell, form=dataclasses.replace(cell.form, width=5)),
        dataclasses.replace(cell, start=whole()),
        dataclasses.replace(cell, start=whole(steps=4)),
        Adapted(cell.course, cell),
    ]
    keys = [lab.key(one) for one in (cell, *others)]
    assert len(set(keys)) == len(keys)
    assert lab.key(whole()) == lab.key(cell)
    json.dumps(describe(cell))


def test_photos_and_precision_decide_the_key(
    lab: Lab, make_lab: Callable[..., Lab], whole: Callable[..., Whole]
) -> None:
    assert lab.key(whole()) == make_lab("elsewhere").key(whole())
    assert lab.key(whole()) != make_lab("fewer", held_out=1).key(whole())
    assert lab.key(whole()) != make_lab("bf16", precision="bf16").key(whole())


def test_a_cell_cannot_depend_on_a_place() -> None:
    with pytest.raises(TypeError, match="where a file lies"):
        describe(Path("photos"))


def chain(whole: Callable[..., Whole]) -> Scores:
    """A test of an adapter on a foundation."""
    foundation = whole("noise(sigma=25)", "blur(sigma=1)")
    adapter = Adapted(Course(("noise(sigma=25)",), 3, 2, 16), foundation, "merge", (("rank", 1),))
    return Scores(adapter, TASKS[0].tests, 2, 48)


def test_worked_again_elsewhere_figures_are_the_same(make_lab: Callable[..., Lab], whole: Callable[..., Whole]) -> None:
    first, second = make_lab("first"), make_lab("second")
    cells = in_order([chain(whole)], first)
    work_off(cells, first)
    work_off(cells, second)
    assert len(cells) == 3
    for cell in cells:
        assert first.result(cell).figures == second.result(cell).figures
        assert json.loads((first.folder(cell) / "result.json").read_text())["title"] == cell.title
    quality = first.result(cells[-1]).figures["denoise 25"]
    assert len(quality["psnr"]) == len(quality["ssim"]) == 2
    assert all(5 < value < 60 for value in quality["psnr"])


def test_what_is_done_is_not_done_again(make_lab: Callable[..., Lab], whole: Callable[..., Whole]) -> None:
    told: list[str] = []
    lab = make_lab(say=told.append)
    cells = in_order([chain(whole), chain(whole)], lab)
    assert outlook(cells, lab).left == 3 and outlook(cells, lab).seconds > 0
    work_off(cells, lab)
    assert [line.split("]")[0] for line in told] == ["[1/3", "[2/3", "[3/3"]
    before = lab.result(cells[-1])
    work_off(cells, make_lab(say=told.append))
    assert len(told) == 3 and lab.result(cells[-1]) == before
    assert outlook(cells, lab).minutes(2) == 0 and outlook(cells, lab).done == 3


def test_an_adapter_stores_its_part_alone(lab: Lab, whole: Callable[..., Whole]) -> None:
    course, foundation = Course(("noise(sigma=25)",), 2, 2, 16), whole()
    counts = {}
    for part in ("all", "low-rank", "vectors"):
        cell = Adapted(course, foundation, "merge", (("rank", 1),), part)
        work_off(in_order([cell], lab), lab)
        counts[part] = lab.result(cell).figures["parameters"]
        names = set(cell.tensors(lab))
        assert part == "all" or all(name.endswith((".up", ".down")) == (part == "low-rank") for name in names)
        model = cell.restorer(lab, "")
        assert isinstance(model, AdaptedModel) and model.merged
    assert counts["low-rank"] + counts["vectors"] < counts["all"]


@dataclasses.dataclass(frozen=True)
class Sum(Cell):
    """A cell without networks: a number plus those that it needs."""

    number: int
    others: tuple[Cell, ...] = ()

    @property
    def title(self) -> str:
        return f"sum {self.number}"

    def work(self, lab: Lab) -> Result:
        if self.number < 0:
            raise AdairError(f"{self.number} is too small")
        return Result({"sum": self.number + sum(lab.result(cell).figures["sum"] for cell in self.others)}, {})

    def pace(self) -> tuple[str, float]:
        return "sum", 1

    def trial(self, lab: Lab) -> float:
        return 60.0


def test_needs_come_first_and_only_once(lab: Lab) -> None:
    shared = Sum(1)
    left, right = Sum(2, (shared,)), Sum(3, (shared,))
    top = Sum(4, (left, right))
    cells = in_order([top, right], lab)
    assert [cell.title for cell in cells] == ["sum 1", "sum 2", "sum 3", "sum 4"]
    ahead = outlook(cells, lab)
    assert (ahead.minutes(1), ahead.minutes(2), ahead.minutes(9)) == (4, 3, 3)  # a chain of three cannot be shared out
    work_off(cells, lab)
    assert lab.result(top).figures == {"sum": 11}


def test_a_cell_that_another_process_works_on_is_left_to_it(lab: Lab, make_lab: Callable[..., Lab]) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no such locks")
    cell = Sum(1)
    with lab.claim(cell) as mine, make_lab().claim(cell) as theirs:
        assert mine and not theirs
    with make_lab().claim(cell) as free:
        assert free


def test_a_cell_that_fails_leaves_no_result(lab: Lab) -> None:
    cell = Sum(-1)
    with pytest.raises(AdairError, match="too small"):
        work_off([cell], lab)
    assert not lab.done(cell)
    (lab.folder(cell) / "result.json").write_text("{")
    with pytest.raises(AdairError, match="remove it, and the cell is worked again"):
        lab.result(cell)


def test_stopped_by_a_signal_it_goes_on(
    make_lab: Callable[..., Lab], whole: Callable[..., Whole], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "TELL_SECONDS", 0.0)
    cell = whole(steps=8)
    work_off([cell], whole_run := make_lab("whole"))

    def stop(line: str) -> None:
        if "step 3 " in line:
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = make_lab("stopped", say=stop)
    with pytest.raises(KeyboardInterrupt):
        work_off([cell], stopped)
    assert not stopped.done(cell) and (stopped.folder(cell) / "checkpoint.safetensors").exists()
    work_off([cell], again := make_lab("stopped"))
    assert_equal(cell, whole_run, again)
    assert not (again.folder(cell) / "checkpoint.safetensors").exists()


def test_a_signal_at_the_end_of_a_cell_stops_before_the_next(make_lab: Callable[..., Lab]) -> None:
    cells = [Sum(1), Sum(2)]

    def stop(line: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    lab = make_lab(say=stop)
    with pytest.raises(KeyboardInterrupt):
        work_off(cells, lab)
    assert [lab.done(cell) for cell in cells] == [True, False]


KILLED = """
import os, signal, sys
from pathlib import Path
from adair.backbones.registry import NAFNetConfig
from adair.studies import training
from adair.studies.lab import Lab, Place
from adair.studies.networks import Whole
from adair.studies.runner import work_off

training.TELL_SECONDS = training.CHECKPOINT_MINUTES = 0.0

def say(line):
    if "step 5 " in line:
        os.kill(os.getpid(), signal.SIGKILL)

shape = NAFNetConfig(width=4, encoder=(1,), middle=1, decoder=(1,))
cell = Whole(training.Course(("noise(sigma=25)",), 8, 2, 16), shape)
work_off([cell], Lab(Place(Path(sys.argv[1]), Path(sys.argv[2]), 2, None, "cpu", "fp32"), say))
"""


def test_killed_it_goes_on_from_its_checkpoint(
    make_lab: Callable[..., Lab], whole: Callable[..., Whole], photo_folder: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(photo_folder)]
    assert subprocess.run(words, timeout=120).returncode == -signal.SIGKILL
    cell, lab = whole(steps=8), make_lab("killed")
    assert not lab.done(cell) and (lab.folder(cell) / "checkpoint.safetensors").exists()
    steps: list[str] = []
    training.TELL_SECONDS, kept = 0.0, training.TELL_SECONDS
    try:
        work_off([cell], make_lab("killed", say=steps.append))
    finally:
        training.TELL_SECONDS = kept
    assert not any("step 3 " in line for line in steps)  # what the checkpoint had is not done again
    work_off([cell], whole_run := make_lab("whole"))
    assert_equal(cell, whole_run, lab)


def assert_equal(cell: Whole, first: Lab, second: Lab) -> None:
    assert first.result(cell).figures == second.result(cell).figures
    ours, theirs = cell.tensors(first), cell.tensors(second)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
