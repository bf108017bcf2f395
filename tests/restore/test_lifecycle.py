"""Adapters come and go: names, replacing, deleting, defaults, combinations, merging into the foundation and back."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from adair.adapters import create_adapter, load_adapter, save_adapter
from adair.errors import AdairError, AdapterMismatchError, InputError
from adair.restore import Restorer
from adair.weights import load_foundation


@pytest.fixture
def denoise(model_files: Path) -> Path:
    return model_files / "denoise.safetensors"


def test_an_adapter_goes_by_a_name_of_ones_own(restorer: Restorer, denoise: Path, photo: np.ndarray) -> None:
    assert restorer.add_adapter(denoise, name="scanner") == "scanner"
    assert restorer.tasks == ("dejpeg", "denoise", "scanner", "sr")
    np.testing.assert_array_equal(restorer.restore(photo, "scanner"), restorer.restore(photo, "denoise"))


def test_the_same_name_twice_is_an_error_unless_asked_for(
    restorer: Restorer, model_files: Path, photo: np.ndarray
) -> None:
    before = restorer.restore(photo, "denoise")
    path = model_files / "dejpeg.safetensors"
    with pytest.raises(InputError, match=r"an adapter 'denoise' exists already; give another name, or replace=True"):
        restorer.add_adapter(path, name="denoise")
    np.testing.assert_array_equal(restorer.restore(photo, "denoise"), before)
    restorer.add_adapter(path, name="denoise", replace=True)
    np.testing.assert_array_equal(restorer.restore(photo, "denoise"), restorer.restore(photo, "dejpeg"))


@pytest.mark.parametrize("name", ["auto", "foundation", "", "a>b", "a,b", "a=1", "../a", "a" * 65, "ä"])
def test_names_that_tasks_could_not_ask_for_are_refused(restorer: Restorer, denoise: Path, name: str) -> None:
    if name:
        with pytest.raises(InputError, match="name"):
            restorer.add_adapter(denoise, name=name)
    with pytest.raises(InputError, match="name"):
        restorer.add_weighted_adapter({"denoise": 1.0}, name)
    assert restorer.tasks == ("dejpeg", "denoise", "sr")


def test_the_list_tells_cards_and_sizes(restorer: Restorer, model_files: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    adapter = create_adapter("conv", restorer.foundation.model)
    mark = restorer.foundation.fingerprint
    save_adapter(path, adapter, foundation_fingerprint=mark, task="mine", card={"licence": "CC0-1.0"})
    restorer.add_adapter(path)
    restorer.add_weighted_adapter({"denoise": 0.7, "dejpeg": 0.3}, "scan")
    assert list(restorer.adapters) == list(restorer.tasks)
    mine = restorer.adapters["mine"]
    assert (mine.name, mine.path, mine.kind, mine.card) == ("mine", path, "conv", {"licence": "CC0-1.0"})
    assert mine.bytes == path.stat().st_size
    assert mine.parameters == sum(value.numel() for value in adapter.parameters())
    assert restorer.adapters["denoise"].kind == "merge"
    assert restorer.adapters["scan"].parts == {"denoise": 0.7, "dejpeg": 0.3}


def test_a_deleted_adapter_is_gone(restorer: Restorer, denoise: Path, photo: np.ndarray) -> None:
    before = restorer.restore(photo, "denoise")
    restorer.delete_adapter("denoise")
    assert "denoise" not in restorer.tasks
    with pytest.raises(InputError, match="unknown task 'denoise'"):
        restorer.restore(photo, "denoise")
    with pytest.raises(InputError, match="unknown name"):
        restorer.delete_adapter("denoise")
    restorer.add_adapter(denoise)
    np.testing.assert_array_equal(restorer.restore(photo, "denoise"), before)


def test_the_default_task(restorer: Restorer, photo: np.ndarray) -> None:
    with pytest.raises(InputError, match="no task named"):
        restorer.restore(photo)
    restorer.set_adapter("dejpeg > denoise")
    np.testing.assert_array_equal(restorer.restore(photo), restorer.restore(photo, "dejpeg > denoise"))
    with pytest.raises(InputError, match="unknown task"):
        restorer.set_adapter("nothing")
    np.testing.assert_array_equal(restorer.restore(photo), restorer.restore(photo, "dejpeg > denoise"))
    restorer.delete_adapter("sr")  # which is no part of it
    np.testing.assert_array_equal(restorer.restore(photo), restorer.restore(photo, "dejpeg > denoise"))
    restorer.delete_adapter("denoise")
    with pytest.raises(InputError, match="no task named"):
        restorer.restore(photo)
    restorer.disable_adapters()
    np.testing.assert_array_equal(restorer.restore(photo), restorer.restore(photo, "foundation"))


def test_a_combination_is_the_blend_that_it_names(restorer: Restorer, model_files: Path, photo: np.ndarray) -> None:
    restorer.add_adapter(model_files / "branches.safetensors")
    blend = {"denoise": 0.5, "branches": 0.5}
    assert restorer.add_weighted_adapter(blend, "scan") == "scan"
    np.testing.assert_array_equal(restorer.restore(photo, "scan"), restorer.restore(photo, blend))
    half = restorer.restore(photo, {"denoise": 0.25, "branches": 0.25})
    np.testing.assert_array_equal(restorer.restore(photo, {"scan": 0.5}), half)
    restorer.add_weighted_adapter({"scan": 0.5, "denoise": 0.5}, "deeper")
    assert restorer.adapters["deeper"].parts == {"denoise": 0.75, "branches": 0.25}
    with pytest.raises(InputError, match="is part of 'scan'"):
        restorer.delete_adapter("branches")
    for bad in ({"denoise": 2.0}, {"nothing": 1.0}, {}, {"foundation": 1.0}):
        with pytest.raises(InputError):
            restorer.add_weighted_adapter(bad, "bad")
    restorer.delete_adapter("scan")
    assert "scan" not in restorer.tasks


def test_merging_into_the_foundation_and_back(
    restorer: Restorer, model_files: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    tasks = ("foundation", "denoise", "dejpeg", "denoise=0.5,dejpeg=0.5")
    before = {task: restorer.restore(photo, task) for task in tasks}
    original, mark = restorer.foundation, restorer.foundation.fingerprint
    restorer.merge_adapter("denoise=0.5,dejpeg=0.5")
    np.testing.assert_array_equal(restorer.restore(photo, "foundation"), before["denoise=0.5,dejpeg=0.5"])
    assert restorer.foundation.fingerprint != mark
    assert not np.array_equal(restorer.restore(photo, "denoise"), before["denoise"])  # on top of what is merged
    with pytest.raises(InputError, match="merged already"):
        restorer.merge_adapter("denoise")

    path = tmp_path / "mine.safetensors"
    saved = restorer.save_foundation(path, torch.float32)
    assert saved == restorer.foundation.fingerprint == load_foundation(path).fingerprint
    assert load_foundation(path).card["merged_into"] == mark
    assert load_foundation(path).card["licence"] == "not stated"
    with pytest.raises(InputError, match="exists; choose another name, or replace it with overwrite=True"):
        restorer.save_foundation(path)
    assert restorer.save_foundation(path, torch.float32, overwrite=True) == saved
    again = Restorer.load(path, device="cpu", precision="fp32")
    np.testing.assert_array_equal(again.restore(photo, "foundation"), before["denoise=0.5,dejpeg=0.5"])
    with pytest.raises(AdapterMismatchError):
        again.add_adapter(model_files / "denoise.safetensors")

    restorer.unmerge_adapter()
    assert restorer.foundation is original
    for task in tasks:
        np.testing.assert_array_equal(restorer.restore(photo, task), before[task])
    restorer.unmerge_adapter()


@pytest.mark.parametrize("task", ["foundation", "auto", "denoise > dejpeg", "branches", "nothing", {}])
def test_what_cannot_be_merged(restorer: Restorer, model_files: Path, task: str) -> None:
    restorer.add_adapter(model_files / "branches.safetensors")
    with pytest.raises(AdairError):
        restorer.merge_adapter(task)
    assert load_adapter(model_files / "denoise.safetensors", restorer.foundation).task == "denoise"


def test_adapters_come_and_go_while_others_restore(restorer: Restorer, denoise: Path, photo: np.ndarray) -> None:
    small = photo[:16, :16]
    expected = restorer.restore(small, "dejpeg")
    wrong, stop = [], threading.Event()

    def work() -> None:
        while not stop.is_set():
            if not np.array_equal(restorer.restore(small, "dejpeg"), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        restorer.add_adapter(denoise, name="guest")
        restorer.restore(small, "guest")
        restorer.delete_adapter("guest")
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
