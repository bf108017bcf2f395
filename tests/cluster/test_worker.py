"""One file after the other, as a worker does them; no cluster is needed for that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image

from adair.cluster.run import Attempts
from adair.cluster.storage import Storage
from adair.cluster.worker import MOST_ATTEMPTS, Worker, WorkerSpec
from adair.restore import RestoreOptions, Restorer
from adair.restore.single import FileOptions


@pytest.fixture
def spec(model_files: Path, tmp_path: Path) -> WorkerSpec:
    source = tmp_path / "source"
    source.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(source / "a.png")
    (source / "broken.png").write_bytes((source / "a.png").read_bytes()[:200])
    foundation, adapter = ((model_files / f"{name}.safetensors").read_bytes() for name in ("foundation", "denoise"))
    options = RestoreOptions("denoise", strength=0.5)
    target = str(tmp_path / "target")
    return WorkerSpec(str(source), target, options, FileOptions(), foundation, (adapter,), "torch", "cpu", "fp32", 1)


def row(name: str) -> dict[str, Any]:
    return {"source": name, "target": name}


class Killed(BaseException):
    """Stands for the end of the worker's process."""


def test_a_worker_makes_what_the_library_makes(spec: WorkerSpec, model_files: Path) -> None:
    outcome = Worker(spec, Attempts())(row("a.png"))
    assert (outcome["status"], outcome["error"], outcome["megapixels"]) == ("done", "", 0.0012)
    restorer = Restorer.load(model_files / "foundation.safetensors", "cpu", "fp32")
    restorer.add_adapter(model_files / "denoise.safetensors")
    expected = restorer.restore(np.asarray(Image.open(Path(spec.source, "a.png"))), "denoise", strength=0.5)
    np.testing.assert_array_equal(np.asarray(Image.open(Path(spec.target, "a.png"))), expected)


def test_failures_name_the_file_and_leave_nothing(spec: WorkerSpec) -> None:
    worker = Worker(spec, Attempts())
    for name in ("broken.png", "none.png"):
        outcome = worker(row(name))
        assert outcome["status"] == "failed" and f"{spec.source}/{name}" in outcome["error"]
        assert "adair-work" not in outcome["error"]
    assert not Path(spec.target).exists()


def test_files_that_kill_workers_are_given_up_and_their_neighbours_are_not(
    spec: WorkerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = Worker._restore

    def restore_or_die(worker: Worker, source: str, target: str) -> Any:
        if source.startswith("killer"):
            raise Killed
        return restore(worker, source, target)

    monkeypatch.setattr(Worker, "_restore", restore_or_die)
    worker, block, deaths = Worker(spec, Attempts()), ("a.png", "broken.png", "killer1.png", "killer2.png"), 0
    while True:  # as Ray does: a block whose worker died is repeated whole
        try:
            outcomes = [worker(row(name)) for name in block]
            break
        except Killed:
            deaths += 1
    assert deaths == 2 * MOST_ATTEMPTS
    assert [outcome["status"] for outcome in outcomes] == ["done", "failed", "failed", "failed"]
    assert "died 3 times" not in outcomes[1]["error"]
    assert all("died 3 times" in outcome["error"] for outcome in outcomes[2:])


def test_from_and_to_an_object_store(spec: WorkerSpec) -> None:
    fsspec.filesystem("memory").store.clear()
    storage = Storage("memory://in")
    storage.write("deep/a.png", Path(spec.source, "a.png").read_bytes())
    remote = WorkerSpec(**{**vars(spec), "source": "memory://in", "target": "memory://out"})
    Worker(spec, Attempts())(row("a.png"))
    assert Worker(remote, Attempts())(row("deep/a.png"))["status"] == "done"
    assert Storage("memory://out").read("deep/a.png") == Path(spec.target, "a.png").read_bytes()
