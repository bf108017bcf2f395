"""Files in, files out, below the command line: one file, many files, cancelling, resuming."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import adair
from adair.errors import AdairError, InputError, Interrupted
from adair.images import parts
from adair.images.parts import part_path
from adair.restore import FileOptions, RestoreOptions, Restorer, Runner, read_image, restore_file, write_image
from adair.restore.batch import Job, Naming, plan_batch
from adair.restore.record import NAME, Record
from adair.restore.runner import SMALL_FILE


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    rng = np.random.default_rng(0)
    made = [Job(tmp_path / "in" / f"{number}.png", tmp_path / "out" / f"{number}.png") for number in range(5)]
    for job in made:
        write_image(job.source, rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    return made


def test_one_file(restorer: Restorer, jobs: list[Job], photo: np.ndarray) -> None:
    source, target = jobs[0].source, jobs[0].output
    result = restore_file(source, target, "denoise", restorer=restorer)
    assert (result.source, result.target, result.advice, result.notes) == (source, target, None, ())
    assert result.megapixels == 0.0006
    expected = restorer.restore(read_image(source).pixels, "denoise")
    np.testing.assert_array_equal(read_image(target).pixels, expected)
    with pytest.raises(AdairError, match="exists"):
        restore_file(source, target, "denoise", restorer=restorer)
    options = RestoreOptions("sr", scale=3)
    restore_file(source, target, options=options, files=FileOptions(overwrite=True), restorer=restorer)
    assert read_image(target).pixels.shape == (60, 90, 3)


def test_one_file_needs_a_task_once(restorer: Restorer, jobs: list[Job]) -> None:
    for arguments in ({}, {"task": "denoise", "options": RestoreOptions("denoise")}):
        with pytest.raises(InputError, match="a task or options"):
            restore_file(jobs[0].source, jobs[0].output, **arguments, restorer=restorer)  # type: ignore[arg-type]


def test_the_public_names_are_these() -> None:
    assert adair.restore_file is restore_file
    assert adair.read_image is read_image
    assert adair.write_image is write_image
    assert adair.RestoreOptions is RestoreOptions


@pytest.mark.parametrize("settings", [{"quality": 0}, {"quality": 101}, {"max_pixels": 0}])
def test_bad_file_options(settings: dict[str, int]) -> None:
    with pytest.raises(AdairError):
        FileOptions(**settings)


def test_cancelling_one_file_writes_nothing(restorer: Restorer, jobs: list[Job]) -> None:
    def cancel(done: int, total: int) -> None:
        raise Interrupted("enough")

    with pytest.raises(Interrupted):
        restore_file(jobs[0].source, jobs[0].output, "denoise", restorer=restorer, progress=cancel)
    assert not jobs[0].output.exists()
    restore_file(jobs[0].source, jobs[0].output, "denoise", restorer=restorer)  # nothing is left in a bad state


@pytest.mark.parametrize("workers", [1, 3])
def test_cancelling_many_files_keeps_what_is_finished(restorer: Restorer, jobs: list[Job], workers: int) -> None:
    def cancel(number: int, part: float) -> None:
        if number == 2:
            raise Interrupted("enough")

    runner = Runner(restorer, RestoreOptions("denoise"), workers=workers)
    seen = []
    with pytest.raises(Interrupted):
        for outcome in runner.run(jobs, cancel):
            seen.append(outcome.status)
    assert seen == ["done", "done"]
    assert not jobs[2].output.exists()
    assert not list(jobs[0].output.parent.glob(".*.part"))
    assert threading.active_count() < 10


def test_small_files_are_restored_several_at_a_time_and_others_alone(restorer: Restorer, jobs: list[Job]) -> None:
    large = np.random.default_rng(1).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    write_image(jobs[2].source, large, overwrite=True)
    assert jobs[2].source.stat().st_size > SMALL_FILE > jobs[0].source.stat().st_size
    working: set[int] = set()
    alone = True
    together = threading.Barrier(2, timeout=30)

    def progress(number: int, part: float) -> None:
        nonlocal alone
        if number in (0, 1):
            together.wait()  # goes on only if both are in work
        working.add(number)
        alone = alone and (number != 2 or working == {0, 1, 2})

    runner = Runner(restorer, RestoreOptions("denoise"), small_workers=2)
    assert [outcome.job for outcome in runner.run(jobs, progress)] == jobs
    assert alone and working == set(range(5))


@pytest.mark.parametrize("workers", [1, 3])
def test_what_fails_does_not_stop_the_rest(restorer: Restorer, jobs: list[Job], workers: int) -> None:
    jobs[1].source.write_bytes(b"")
    outcomes = list(Runner(restorer, RestoreOptions("denoise"), workers=workers).run(jobs))
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "done", "done", "done"]
    assert [outcome.job for outcome in outcomes] == jobs
    assert outcomes[1].error and outcomes[1].error.startswith(f"{jobs[1].source}: ")


def run(restorer: Restorer, jobs: list[Job], task: str = "denoise") -> list[str]:
    options = RestoreOptions(task)
    runner = Runner(restorer, options, record=Record(restorer.mark(options)))
    return [outcome.status for outcome in runner.run(jobs)]


def test_a_second_run_does_what_is_missing(restorer: Restorer, jobs: list[Job]) -> None:
    assert run(restorer, jobs[:2]) == ["done", "done"]
    assert run(restorer, jobs) == ["skipped", "skipped", "done", "done", "done"]
    assert run(restorer, jobs, "dejpeg") == ["done"] * 5
    assert run(restorer, jobs, "dejpeg") == ["skipped"] * 5
    assert run(restorer, jobs) == ["done"] * 5


def test_a_folder_that_is_complete_is_swept_unless_the_run_is_dry(restorer: Restorer, jobs: list[Job]) -> None:
    run(restorer, jobs[:1])
    part = jobs[0].output.parent / part_path(jobs[0].output.parent).name.replace(f"-{os.getpid()}-", "-999999999-")
    part.write_bytes(b"what a killed run left")
    os.utime(part, (0, 0))
    parts._swept.clear()  # as in a new process
    options = RestoreOptions("denoise")
    for dry in (True, False):
        runner = Runner(restorer, options, record=Record(restorer.mark(options)), dry_run=dry)
        assert [outcome.status for outcome in runner.run(jobs[:1])] == ["skipped"]
        assert part.exists() == dry


def test_other_weights_are_other_settings(restorer: Restorer, model_files: Path) -> None:
    options = RestoreOptions("denoise")
    before = restorer.mark(options)
    assert restorer.mark(RestoreOptions({"denoise": 1})) == before
    assert restorer.mark(RestoreOptions("denoise", tile=128)) == before
    assert restorer.mark(RestoreOptions("denoise", strength=0.5)) != before
    assert restorer.mark(RestoreOptions("auto")) != before
    other = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="bf16")
    other.add_adapter(model_files / "denoise.safetensors")
    assert other.mark(options) != before


def test_killed_between_writing_and_remembering(restorer: Restorer, jobs: list[Job]) -> None:
    run(restorer, jobs[:1])
    record = jobs[0].output.parent / NAME
    _, begun, finished = record.read_text().splitlines()
    record.write_text(begun + "\n" + finished[: len(finished) // 2])
    assert run(restorer, jobs[:1]) == ["done"]
    assert run(restorer, jobs[:1]) == ["skipped"]


def test_a_file_put_where_a_result_was_to_be_is_not_ours(restorer: Restorer, jobs: list[Job]) -> None:
    """A job that failed has written nothing, so what lies there afterwards is somebody's."""
    whole = jobs[0].source.read_bytes()
    jobs[0].source.write_bytes(whole[:60])
    assert run(restorer, jobs[:1]) == ["failed"]
    write_image(jobs[0].output, np.zeros((4, 4, 3), np.uint8))
    jobs[0].source.write_bytes(whole)
    assert run(restorer, jobs[:1]) == ["failed"]
    assert read_image(jobs[0].output).pixels.shape == (4, 4, 3)


def test_a_result_stays_ours_if_making_it_again_fails(restorer: Restorer, jobs: list[Job]) -> None:
    assert run(restorer, jobs[:1]) == ["done"]
    whole = jobs[0].source.read_bytes()
    jobs[0].source.write_bytes(whole[:60])
    assert run(restorer, jobs[:1]) == ["failed"]
    jobs[0].source.write_bytes(whole)
    assert run(restorer, jobs[:1]) == ["done"]


def test_results_inside_the_source_are_no_sources_however_the_paths_are_written(
    restorer: Restorer, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = jobs[0].source.parent
    monkeypatch.chdir(folder)
    (folder / "restored").mkdir()
    for name in ("0.png", "other.png"):
        (folder / "restored" / name).write_bytes(jobs[0].source.read_bytes())
    for source, output in ((Path("."), folder / "restored"), (folder, Path("restored"))):
        batch = plan_batch([source], output, Naming("denoise"), recursive=True)
        assert len(batch.jobs) == 5


def test_nothing_in_a_folder_is_passed_over_in_silence(
    restorer: Restorer, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be read has a note, and a photo for which a package is missing fails."""
    folder = jobs[0].source.parent
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "locked").mkdir()
    walk = os.scandir

    def refuse(path: str | Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return walk(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    batch = plan_batch([folder], folder.parent / "all", Naming("denoise"), recursive=True)
    assert batch.notes == (f"{folder / 'locked'}: not searched, permission denied",)
    (outcome,) = [
        one for one in Runner(restorer, RestoreOptions(task="denoise")).run(batch.jobs) if one.status == "failed"
    ]
    assert "phone.heic" in str(outcome.error) and "adair[heic]" in str(outcome.error)


def test_a_result_that_is_not_ours_is_left_alone(restorer: Restorer, jobs: list[Job]) -> None:
    write_image(jobs[0].output, np.zeros((4, 4, 3), np.uint8))
    assert run(restorer, jobs[:1]) == ["failed"]
    assert read_image(jobs[0].output).pixels.shape == (4, 4, 3)
    (jobs[0].output.parent / NAME).write_text('nonsense\n[1]\n{"name": 3}\n{"name": "0.png"}\n' + json.dumps("x"))
    assert run(restorer, jobs[:1]) == ["failed"]


def test_results_of_one_run_may_be_the_sources_of_another(restorer: Restorer, jobs: list[Job], tmp_path: Path) -> None:
    run(restorer, jobs)
    batch = plan_batch([tmp_path / "out"], tmp_path / "more", Naming("sr-x2"))
    assert len(batch.jobs) == 5


def test_results_with_names_of_any_form_are_known_by_their_record(restorer: Restorer, jobs: list[Job]) -> None:
    folder = jobs[0].source.parent
    naming = Naming("denoise", "better {stem}{ext}")
    batch = plan_batch([folder], None, naming)
    assert run(restorer, list(batch.jobs)) == ["done"] * 5
    assert plan_batch([folder], None, naming).jobs == batch.jobs


@pytest.mark.parametrize(
    ("name", "is_result"),
    [
        ("a.denoise", True),
        ("a.denoise.dejpeg", True),
        ("a.denoise0.7+dejpeg0.3", True),
        ("a.dejpeg_denoise-s0.5-ensemble", True),
        ("a.sr-x4", True),
        ("a.denoise-l0.5-c0", True),
        ("a.denoise-s0.5-masked-ensemble", True),
        ("a.mine", True),
        ("a.special", True),
        ("a.final", False),
        ("a.2024", False),
        ("b.denoise", False),
        ("a", False),
        ("denoise", False),
    ],
)
def test_results_are_known_by_their_name(name: str, is_result: bool) -> None:
    naming = Naming("special", tasks=("mine",))
    siblings = {"a", "a.denoise", name}
    assert naming.is_result(Path(f"{name}.png"), siblings - {"b"}) == is_result


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_where_there_is_nothing_to_do_the_file_is_copied_byte_for_byte(
    restorer: Restorer, tmp_path: Path, suffix: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    frames = [Image.fromarray(pixels), Image.fromarray(pixels)]
    source = tmp_path / f"in{suffix}"
    frames[0].save(source, **({"save_all": True, "append_images": frames[1:]} if suffix == ".tif" else {"quality": 60}))
    options = RestoreOptions("denoise", strength=0)
    result = restore_file(source, tmp_path / f"out{suffix}", options=options, restorer=restorer)
    assert (tmp_path / f"out{suffix}").read_bytes() == source.read_bytes()
    assert result.notes == ()
    restore_file(source, tmp_path / "out.png", options=options, restorer=restorer)
    np.testing.assert_array_equal(read_image(tmp_path / "out.png").pixels, read_image(source).pixels)


def test_photos_whose_results_would_share_a_name_get_names_of_their_own(tmp_path: Path) -> None:
    for name in ("a.gif", "a.webp", "b.jfif", "b.jpg", "b.jpe", "c.gif"):
        (tmp_path / name).write_bytes(b"")
    names = {
        job.source.name: job.output.name for job in plan_batch([tmp_path], tmp_path / "out", Naming("denoise")).jobs
    }
    assert names == {
        **{"a.gif": "a.gif.webp", "a.webp": "a.webp", "c.gif": "c.webp"},
        **{"b.jfif": "b.jfif.jpg", "b.jpe": "b.jpe.jpg", "b.jpg": "b.jpg"},
    }
    batch = plan_batch([tmp_path], None, Naming("denoise"))
    assert {job.output.name for job in batch.jobs} >= {"a.gif.denoise.webp", "a.denoise.webp"}
    for job in batch.jobs:
        job.output.write_bytes(b"")
    assert {job.source for job in plan_batch([tmp_path], None, Naming("denoise")).jobs} == {
        job.source for job in batch.jobs
    }
    with pytest.raises(InputError, match="both be written"):
        plan_batch([tmp_path], tmp_path / "out", Naming("denoise", "{stem}.x{ext}"))


def test_a_video_is_not_restored_as_an_image(restorer: Restorer, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    for target, words in (("out.mp4", r"out\.mp4: is the name of a video"), ("out.png", r"clip\.mp4: is a video")):
        with pytest.raises(InputError, match=f"{words}.*adair.restore_video"):
            restore_file(clip, tmp_path / target, "denoise", restorer=restorer)
    assert not list(tmp_path.glob("out.*"))
