from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adair.errors import AdairError
from adair.train import checkpoint as module
from adair.train.checkpoint import (
    Saving,
    check_space,
    join_tensors,
    load_checkpoint,
    save_checkpoint,
    split_tensors,
)

CPU = torch.device("cpu")
SPLIT = Saving(part_mb=1)


def some_tensors(seed: int = 0, scale: int = 1) -> dict[str, Tensor]:
    """About 2.5 MB times ``scale``: one tensor larger than a part of 1 MB, and small ones."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"large.weight": (600 * scale, 500), "a": (7,), "half#way": (300, 500), "scalar": (), "b": (400, 300)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("saving", [Saving(), SPLIT])
def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path, saving: Saving) -> None:
    path = tmp_path / "new" / "run.safetensors"
    save_checkpoint(path, some_tensors(), {"step": 3, "loss": float("nan")}, saving)
    tensors, facts = load_checkpoint(path, CPU)
    assert same(tensors, some_tensors())
    assert facts["step"] == 3


def test_parts_stay_within_their_size_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    (tmp_path / "foundation.safetensors").write_text("not ours to remove")
    for step in (1, 2):
        save_checkpoint(path, some_tensors(step), {"step": step}, SPLIT)
        files = [file for file in tmp_path.iterdir() if file.name != "foundation.safetensors"]
        assert len(files) == 3
        assert max(file.stat().st_size for file in files) <= 1_000_000
        assert same(load_checkpoint(path, CPU)[0], some_tensors(step))
    save_checkpoint(path, some_tensors(3), {"step": 3})
    assert names(tmp_path) == ["foundation.safetensors", "run.safetensors"]


@given(
    sizes=st.lists(st.integers(0, 2_000), min_size=1, max_size=8),
    limit=st.integers(8_000, 16_000),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
@settings(deadline=None, max_examples=40)
def test_cutting_is_undone_by_joining(sizes: list[int], limit: int, dtype: torch.dtype) -> None:
    tensors = {f"t{i}": torch.arange(3 * n, dtype=torch.float32).view(3, n).to(dtype) for i, n in enumerate(sizes)}
    parts, shapes = split_tensors(tensors, limit)
    assert all(sum(t.numel() * t.element_size() for t in part.values()) <= limit for part in parts)
    stored = {name: tensor for part in parts for name, tensor in part.items()}
    assert same(join_tensors(stored, shapes), tensors)


@pytest.mark.parametrize("saving", [Saving(keep=3), Saving(keep=3, part_mb=1)])
def test_the_last_checkpoints_are_kept(tmp_path: Path, saving: Saving) -> None:
    path = tmp_path / "run.safetensors"
    for step in (10, 20, 30, 40, 50):
        save_checkpoint(path, some_tensors(step), {"step": step}, saving)
    for older, step in ((path, 50), (tmp_path / "run-40.safetensors", 40), (tmp_path / "run-30.safetensors", 30)):
        tensors, facts = load_checkpoint(older, CPU)
        assert facts["step"] == step
        assert same(tensors, some_tensors(step))
    assert len(names(tmp_path)) == 3 if saving.part_mb is None else 9
    assert not (tmp_path / "run-20.safetensors").exists()


@pytest.mark.parametrize("broken_write", [1, 2, 3])
def test_a_save_that_breaks_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_write: int
) -> None:
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, some_tensors(1), {"step": 1}, SPLIT)
    before = names(tmp_path)
    save_file, calls = module.save_file, []

    def breaks(tensors: dict[str, Tensor], target: Path, **rest: object) -> None:
        calls.append(target)
        if len(calls) == broken_write:
            Path(target).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save_file(tensors, target, **rest)

    monkeypatch.setattr(module, "save_file", breaks)
    with pytest.raises(AdairError, match="No space left") as caught:
        save_checkpoint(path, some_tensors(2), {"step": 2}, SPLIT)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == before
    assert same(load_checkpoint(path, CPU)[0], some_tensors(1))


def test_what_a_killed_save_left_behind_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, some_tensors(1), {"step": 1}, SPLIT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", lambda *names: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):  # stands for the kill: no clean-up of the parts
            save_checkpoint(path, some_tensors(2), {"step": 2}, SPLIT)
    (tmp_path / "run-2-0123abcd-1.safetensors").write_bytes(b"a part that nothing lists")
    assert same(load_checkpoint(path, CPU)[0], some_tensors(1))
    save_checkpoint(path, some_tensors(3), {"step": 3})
    assert names(tmp_path) == ["run.safetensors"]


def test_a_damaged_checkpoint_names_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    for step in (1, 2):
        save_checkpoint(path, some_tensors(step), {"step": step}, Saving(keep=2))
    path.write_bytes(b"damaged")
    with pytest.raises(AdairError, match=r"run-1\.safetensors"):
        load_checkpoint(path, CPU)
    assert load_checkpoint(tmp_path / "run-1.safetensors", CPU)[1]["step"] == 1


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, some_tensors(), {"step": 1}, SPLIT)
    part = next(tmp_path.glob("run-1-*-1.safetensors"))
    part.unlink()
    with pytest.raises(AdairError, match=part.name):
        load_checkpoint(path, CPU)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """``free(bytes)``: pretend that the disk has so much room."""

    def pretend(room: int) -> None:
        monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": room}))

    return pretend


def test_a_full_disk_is_told_beforehand(tmp_path: Path, free: Callable[[int], None]) -> None:
    path, tensors = tmp_path / "run.safetensors", some_tensors()
    size = sum(tensor.numel() * 4 for tensor in tensors.values())
    free(2 * size + 2_000_000)
    check_space(path, tensors, Saving(), result=100_000)
    with pytest.raises(AdairError, match="MB"):
        check_space(path, tensors, Saving(keep=2), result=100_000)
    free(size + 2_000_000)
    with pytest.raises(AdairError, match="make room"):
        check_space(path, tensors, Saving(), result=100_000)
    save_checkpoint(path, tensors, {"step": 1})  # now one of the two is there already
    check_space(path, tensors, Saving(), result=100_000)


@pytest.mark.parametrize("wrong", [{"minutes": -1.0}, {"keep": 0}, {"part_mb": 0.5}])
def test_refuses_nonsense(wrong: dict[str, float]) -> None:
    with pytest.raises(AdairError, match="checkpoint-"):
        Saving(**wrong)  # type: ignore[arg-type]
