"""What a run has to do, after any history of the target."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adair.cluster.plan import STATE, ClusterPlan, make_plan
from adair.cluster.storage import Storage
from adair.errors import InputError
from adair.restore.batch import Naming


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg", "deep/c.png", "notes.txt"):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (1000, 1000))
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def planned(source: Path, target: Path, mark: str = "m", existing: str = "resume", **naming: str) -> ClusterPlan:
    names = Naming("denoise", **naming)
    return make_plan(Storage(str(source)), Storage(str(target)), names, mark, existing, recursive=True)  # type: ignore[arg-type]


def finish(plan: ClusterPlan, target: Path) -> None:
    for item in plan.todo:
        Storage(str(target)).write(item.target, b"result")


def names(items: object) -> list[str]:
    return [item.source for item in items]  # type: ignore[attr-defined]


def test_everything_at_first_nothing_when_done(source: Path, target: Path) -> None:
    plan = planned(source, target)
    assert [(item.source, item.target) for item in plan.todo] == [(n, n) for n in ("a.png", "b.jpg", "deep/c.png")]
    assert len(plan.notes) == 1 and "notes.txt" in plan.notes[0]
    finish(plan, target)
    again = planned(source, target)
    assert (again.todo, names(again.done), again.taken) == ((), ["a.png", "b.jpg", "deep/c.png"], ())


def test_what_is_missing_or_has_a_newer_source_is_done_again(source: Path, target: Path) -> None:
    finish(planned(source, target), target)
    (target / "a.png").unlink()
    later = (target / "b.jpg").stat().st_mtime + 10
    os.utime(source / "b.jpg", (later, later))
    plan = planned(source, target)
    assert (names(plan.todo), names(plan.done)) == (["a.png", "b.jpg"], ["deep/c.png"])


def test_other_settings_do_all_again_even_after_an_interruption(source: Path, target: Path) -> None:
    finish(planned(source, target), target)
    for path in target.rglob("*.*g"):
        os.utime(path, (2000, 2000))
    plan = planned(source, target, "other")
    assert len(plan.todo) == 3
    Storage(str(target)).write("a.png", b"result")
    assert names(planned(source, target, "other").todo) == ["b.jpg", "deep/c.png"]


def test_files_of_others_are_left_alone_also_next_time(source: Path, target: Path) -> None:
    target.mkdir()
    (target / "a.png").write_bytes(b"mine")
    for mark in ("m", "m", "other"):
        plan = planned(source, target, mark)
        assert names(plan.taken) == ["a.png"]
    finish(plan, target)
    assert names(planned(source, target, "other").done) == ["b.jpg", "deep/c.png"]
    assert names(planned(source, target, "other", "skip").done) == ["a.png", "b.jpg", "deep/c.png"]
    assert len(planned(source, target, "other", "overwrite").todo) == 3


def test_overwriting_can_be_interrupted_and_resumed(source: Path, target: Path) -> None:
    finish(planned(source, target), target)
    for path in target.rglob("*.*g"):
        os.utime(path, (2000, 2000))
    assert len(planned(source, target, existing="overwrite").todo) == 3
    Storage(str(target)).write("b.jpg", b"result")
    assert names(planned(source, target).todo) == ["a.png", "deep/c.png"]


def test_results_in_a_folder_of_the_source_are_not_restored_again(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    target = tmp_path / "link" / "out"  # the same place by another name
    finish(planned(source, target), target)
    again = planned(source, target)
    assert (names(again.todo), names(again.done)) == ([], ["a.png", "b.jpg", "deep/c.png"])
    assert len(again.notes) == 1, "only the text file of the source"


def test_unusable_folders(source: Path, target: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        planned(tmp_path / "none", target)
    (source / "a.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="would both be written"):
        planned(source, target, extension=".png")
    target.mkdir(exist_ok=True)
    for text in ("{", "[]", '{"settings": 3}', '{"settings": "m"}'):
        (target / STATE).write_text(text)
        with pytest.raises(InputError, match="damaged"):
            planned(source, target)


def test_sources_are_never_replaced(source: Path) -> None:
    for target in (source, source / "deep" / ".."):
        with pytest.raises(InputError, match=r"a\.png: is the file to read; the result would replace it"):
            planned(source, target, existing="overwrite")
    assert sorted(path.name for path in source.iterdir()) == ["a.png", "b.jpg", "deep", "notes.txt"]
    assert planned(source, source, template="{stem}.{task}{ext}").todo
