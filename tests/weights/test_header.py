"""Hostile and broken files: each has its own one-line message, and none costs memory."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adair.errors import AdairError, FileFormatError, InputError
from adair.weights import read_header, read_tensors

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
DUPLICATE = b'{"a": %b, "a": %b}' % ((json.dumps(ONE).encode(),) * 2)

BROKEN: dict[str, tuple[Any, bytes, str]] = {
    "no JSON": (b"{half", b"", "header is not JSON"),
    "no UTF-8": (b'{"\xff\xfe": 1}', b"", "header is not JSON"),
    "NaN in the JSON": (b'{"a": NaN}', b"", "header is not JSON"),
    "deep nesting": (b"[" * 100_000, b"", "header is not JSON"),
    "endless number": (b'{"a": ' + b"9" * 10_000 + b"}", b"", "header is not JSON"),
    "list": ([1], b"", "is a JSON list, no object"),
    "duplicate key": (DUPLICATE, bytes(8), "names 'a' twice"),
    "metadata no object": ({"__metadata__": "x"}, b"", "__metadata__"),
    "metadata no strings": ({"__metadata__": {"adair": {"format": 1}}}, b"", "__metadata__"),
    "our metadata no JSON": ({"__metadata__": {"adair": "eval(1)"}}, b"", "metadata is not JSON"),
    "our metadata no object": ({"__metadata__": {"adair": "3"}}, b"", "metadata is a JSON int"),
    "future format": ({"__metadata__": {"adair": '{"format": 2}'}}, b"", "format version 2"),
    "no format": ({"__metadata__": {"adair": "{}"}}, b"", "format version None"),
    "unknown kind": ({"__metadata__": {"adair": '{"format": 1, "kind": "virus"}'}}, b"", "kind 'virus'"),
    "tensor no object": ({"a": [1]}, b"", "tensor 'a' is described by"),
    "tensor without shape": ({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8), "is described by"),
    "unknown type": ({"a": {**ONE, "dtype": "I64"}}, bytes(8), "type 'I64'"),
    "type of a type": ({"a": {**ONE, "dtype": ["F32"]}}, bytes(8), "has type"),
    "negative shape": ({"a": {**ONE, "shape": [-2]}}, bytes(8), "impossible shape"),
    "fractional shape": ({"a": {**ONE, "shape": [2.0]}}, bytes(8), "impossible shape"),
    "boolean shape": ({"a": {**ONE, "shape": [True, 2]}}, bytes(8), "impossible shape"),
    "many dimensions": ({"a": {**ONE, "shape": [1] * 1000 + [2]}}, bytes(8), "impossible shape"),
    "absurd shape": ({"a": {**ONE, "shape": [2**39, 2**39]}}, bytes(8), "needs .* bytes and has 8"),
    "reversed place": ({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8), "impossible place"),
    "three offsets": ({"a": {**ONE, "data_offsets": [0, 4, 8]}}, bytes(8), "impossible place"),
    "outside the file": ({"a": {**ONE, "data_offsets": [2**39, 2**39 + 8]}}, bytes(8), "leaves a hole"),
    "absurd and honest": (
        {"a": {"dtype": "F32", "shape": [2**36], "data_offsets": [0, 2**38]}},
        bytes(8),
        "is cut short: tensor 'a'",
    ),
    "overlap": ({"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}}, bytes(12), "overlaps"),
    "same place": ({"a": ONE, "b": ONE}, bytes(8), "overlaps"),
    "bytes left over": ({"a": ONE}, bytes(9), "1 bytes after its last tensor"),
    "control characters": ({"\x1b[31m\n": {**ONE, "dtype": "I64"}}, bytes(8), r"\\x1b\[31m\\n"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_header_is_named(raw_file: Callable[..., Path], case: str) -> None:
    header, data, words = BROKEN[case]
    path = raw_file(header, data)
    tracemalloc.start()
    try:
        with pytest.raises(AdairError, match=words) as caught:
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()  # one line, no escape sequences
    assert len(message) < len(str(path)) + 300


@pytest.mark.parametrize("length", [2**20 + 1, 2**40, 2**64 - 1])
def test_a_huge_header_is_refused_before_it_is_read(raw_file: Callable[..., Path], length: int) -> None:
    with pytest.raises(FileFormatError, match="is not a safetensors file"):
        read_header(raw_file({"a": ONE}, bytes(8), length=length))


def test_a_header_longer_than_the_file(raw_file: Callable[..., Path]) -> None:
    with pytest.raises(AdairError, match="is cut short: its header needs 5000 bytes"):
        read_header(raw_file({"a": ONE}, bytes(8), length=5000))


def test_files_that_are_no_safetensors_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="not found; check the name"):
        read_header(path)
    with pytest.raises(AdairError, match="is a folder"):
        read_header(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(AdairError, match="is empty"):
        read_header(path)
    path.write_bytes(b"abc")
    with pytest.raises(AdairError, match="3 bytes are too few"):
        read_header(path)
    path.write_text("Dear reader, this is a letter.")
    with pytest.raises(FileFormatError, match="is not a safetensors file"):
        read_header(path)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}, protocol=protocol))
    with pytest.raises(AdairError, match="is a PyTorch pickle"):
        read_header(path)
    torch.save({"a": torch.zeros(2)}, path)
    with pytest.raises(AdairError, match="is a PyTorch pickle"):
        read_header(path)


def test_every_truncation_is_noticed(foundation_file: Path, tmp_path: Path) -> None:
    whole = foundation_file.read_bytes()
    cut = tmp_path / "cut.safetensors"
    for size in (7, 8, 100, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(AdairError, match=r"cut short|too few"):
            read_header(cut)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_gives_anything_but_our_error(foundation_file: Path, data: st.DataObject) -> None:
    content = bytearray(foundation_file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.one_of(st.integers(0, 400), st.integers(0, len(content) - 1)))
        content[place] = data.draw(st.integers(0, 255))
    damaged = foundation_file.with_name("damaged.safetensors")
    damaged.write_bytes(content)
    try:
        read_tensors(read_header(damaged))
    except AdairError as error:
        assert str(error).isprintable()


def test_a_plain_safetensors_file_has_no_kind(raw_file: Callable[..., Path]) -> None:
    header = read_header(raw_file({"a": ONE, "__metadata__": {"note": "theirs"}}, bytes(8)))
    assert (header.kind, header.metadata, header.parameters, header.file_bytes) == (
        None,
        {"note": "theirs"},
        2,
        header.path.stat().st_size,
    )
    assert header.tensors["a"].shape == (2,)
