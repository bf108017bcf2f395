"""What the tab for training does with a job, without a browser; skipped where Gradio is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adair.ui.desk import Desk
from adair.ui.training_job import TrainingRequest, TrainingState

pytestmark = pytest.mark.filterwarnings("default")  # other people's warnings are theirs


class FinishedJob:
    """A job that has a validation, then ends with an adapter."""

    def __init__(self, request: TrainingRequest, folder: Path, foundation: Path | None) -> None:
        self.request, self.stopped, self.running = request, False, True
        assert folder.is_dir() and foundation is None

    def watch(self) -> Iterator[TrainingState]:
        curve = ((100, "noise 25", 30.0),)
        yield TrainingState(("step 100 <b>",), curve, 60)
        self.running = False
        yield TrainingState(("done",), curve, 61, True, adapter=self.adapter)

    def stop(self) -> None:
        self.stopped, self.running = True, False

    adapter: Path | None = None


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("gradio", exc_type=ImportError)
    from adair.ui import train_tab

    monkeypatch.setattr(train_tab, "TrainingJob", FinishedJob)
    monkeypatch.setattr(FinishedJob, "adapter", None)
    return train_tab


def test_a_finished_training_becomes_a_task(
    module: Any, desk: Desk, upload: Callable[..., Path], model_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FinishedJob, "adapter", model_files / "denoise.safetensors")
    tab, photo = module.TrainTab(desk, 2), str(upload())
    job, text = tab.begin(None, [photo], None, "noise(sigma=20)", " scanner ", 5)
    assert "Starting" in text
    assert "already running" in tab.begin(None, [photo], None, "noise(sigma=20)", "other", 5)[1]
    *_, last = tab.watch(job)
    status, curve, sheet, files, *updates = last
    assert "task scanner" in status and list(curve["PSNR"]) == [30.0] and sheet is None
    assert files == [str(model_files / "denoise.safetensors")] and len(updates) == 2
    assert "scanner" in desk.restorer.tasks and "scanner" in updates[0]["choices"]
    assert "already" in tab.begin(None, [photo], None, "noise(sigma=20)", "scanner", 5)[1]
    assert "&lt;b&gt;" in next(tab.watch(job))[0]


def test_a_training_without_a_result_and_wrong_requests(module: Any, desk: Desk, upload: Callable[..., Path]) -> None:
    tab, photo = module.TrainTab(desk, 1), str(upload())
    job, _ = tab.begin(None, [photo], None, "noise(sigma=20)", "scanner", 5)
    *_, last = tab.watch(job)
    assert last[2:4] == (None, None) and "scanner" not in desk.restorer.tasks and job.stopped
    assert 'role="alert"' in tab.begin(None, [photo], None, "noise(", "scanner", 5)[1]
    assert 'role="alert"' in tab.begin(None, ["/etc/passwd"], None, "noise(sigma=1)", "scanner", 5)[1]
    assert "no clean photos" in tab.begin(None, None, None, "noise(sigma=1)", "scanner", 5)[1]


def test_a_visitor_who_left_does_not_lock_the_tab(module: Any, desk: Desk, upload: Callable[..., Path]) -> None:
    tab, photo = module.TrainTab(desk, 1), str(upload())
    job, _ = tab.begin(None, [photo], None, "noise(sigma=20)", "scanner", 5)  # and nobody watches it
    other, text = tab.begin(None, [photo], None, "noise(sigma=20)", "other", 5)
    assert "already running" in text and other is None
    kept, text = tab.begin(job, [photo], None, "noise(sigma=20)", "other", 5)
    assert "already running" in text and kept is job  # it can still be stopped
    job.running = False
    assert tab.begin(job, [photo], None, "noise(", "other", 5)[0] is None
    assert "Starting" in tab.begin(job, [photo], None, "noise(sigma=20)", "other", 5)[1]


def test_two_visitors_who_start_at_once(
    module: Any, desk: Desk, upload: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class SlowJob(FinishedJob):
        def __init__(self, *words: Any) -> None:
            time.sleep(0.2)
            super().__init__(*words)

    monkeypatch.setattr(module, "TrainingJob", SlowJob)
    tab, photo = module.TrainTab(desk, 1), str(upload())
    with ThreadPoolExecutor() as pool:
        begun = list(pool.map(lambda name: tab.begin(None, [photo], None, "noise(sigma=20)", name, 5), ("one", "two")))
    assert sorted(job is None for job, _ in begun) == [False, True]


def test_the_damage_is_shown(module: Any, desk: Desk, upload: Callable[..., Path]) -> None:
    tab, photo = module.TrainTab(desk, 1), str(upload())
    (clean, worse), text = tab.preview([photo], "noise(sigma=20)")
    assert clean.shape == worse.shape and (clean != worse).any() and text == ""
    assert tab.preview([photo], "noise(sigma=20")[0] is None
    assert tab.preview(None, "noise(sigma=20)") == (None, "")
