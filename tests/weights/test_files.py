"""Writing whole or not at all, and reading back."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from adair.errors import AdairError
from adair.weights import check_tensors, read_header, read_tensors, update_card, write_safetensors

KIND = {"kind": "adapter"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_round_trip_of_values_shapes_and_metadata(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "x.safetensors"
    picture = torch.randn(2, 3, 4, 5, dtype=dtype)
    tensors = {"plain": torch.randn(3, dtype=dtype), "last": picture.to(memory_format=torch.channels_last)}
    tensors["view"] = tensors["plain"][1:]  # shares memory, which the file must not mind
    write_safetensors(path, tensors, {**KIND, "text": "Grüße\n", "list": [1, 2.5, None]})
    header = read_header(path)
    assert header.metadata == {"format": 1, **KIND, "text": "Grüße\n", "list": [1, 2.5, None]}
    loaded = read_tensors(header)
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], tensor.float())


def test_a_card_is_added_to_and_the_tensors_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {"a": torch.randn(3, dtype=torch.float16), "b": torch.randn(2, 2, dtype=torch.bfloat16)}
    write_safetensors(path, tensors, {**KIND, "card": {"steps": 5, "licence": "none"}})
    stored = path.read_bytes()[-10:]
    update_card(path, licence="Apache-2.0", measured=[1])
    header = read_header(path)
    assert header.metadata["card"] == {"steps": 5, "licence": "Apache-2.0", "measured": [1]}
    assert {name: info.dtype for name, info in header.tensors.items()} == {"a": "F16", "b": "BF16"}
    assert path.read_bytes()[-10:] == stored
    assert all(torch.equal(value, tensors[name].float()) for name, value in read_tensors(header).items())


def test_loaded_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(1000)}, KIND)
    loaded = read_tensors(read_header(path))
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(loaded["a"], torch.ones(1000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_file_that_is_swapped_after_its_header_was_read_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(1000)}, KIND)
    header, content = read_header(path), path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(AdairError, match="changed while it was read"):
        read_tensors(header)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(AdairError, match="is a pipe"):
        read_tensors(header)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_broken_values_are_neither_written_nor_read(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.safetensors"
    tensor = torch.ones(64)
    write_safetensors(path, {"good": tensor, "bad": tensor}, KIND)
    content = path.read_bytes()
    tensor[17] = value
    with pytest.raises(AdairError, match="'bad' has NaN or infinite"):
        write_safetensors(path, {"bad": tensor}, KIND)
    assert path.read_bytes() == content
    start = len(content) - 64 * 4
    path.write_bytes(content[:start] + tensor.numpy().tobytes())
    with pytest.raises(AdairError, match="has NaN or infinite"):
        read_tensors(read_header(path))


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    for value in (float("nan"), object()):
        with pytest.raises(AdairError, match="cannot be written as JSON"):
            write_safetensors(tmp_path / "x.safetensors", {"a": torch.ones(1)}, {"card": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(1)}, KIND)
    content = path.read_bytes()

    def fail(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((AdairError, KeyboardInterrupt)) as caught:
        write_safetensors(path, {"a": torch.zeros(1)}, KIND)
    if isinstance(caught.value, AdairError):
        assert str(caught.value).startswith(f"{path}: cannot be written: the disk is full")
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="cannot be written: No such file"):
        write_safetensors(tmp_path / "no" / "x.safetensors", {"a": torch.ones(1)}, KIND)


def test_exactly_the_expected_tensors(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(2), "b": torch.ones(3)}, KIND)
    header = read_header(path)
    check_tensors(header, {"a": (2,), "b": (3,)})
    with pytest.raises(AdairError, match="lacks tensor 'c' and 1 more"):
        check_tensors(header, {"a": (2,), "b": (3,), "c": (1,), "d": (1,)})
    with pytest.raises(AdairError, match="unknown tensor 'b'"):
        check_tensors(header, {"a": (2,)})
    with pytest.raises(AdairError, match=r"'b' has shape \[3\], expected \[1, 3\]"):
        check_tensors(header, {"a": (2,), "b": (1, 3)})
