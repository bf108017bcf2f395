"""Foundations: saved, fingerprinted, loaded, refused."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from adair.backbones import build_backbone
from adair.errors import AdairError
from adair.weights import (
    bundled_adapters,
    fingerprint,
    load_foundation,
    read_header,
    save_foundation,
    write_safetensors,
)

CONFIG = {"width": 4, "encoder": [1], "middle": 1, "decoder": [1]}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_round_trip(tmp_path: Path, tiny_weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    path = tmp_path / "f.safetensors"
    mark = save_foundation(path, "nafnet", CONFIG, tiny_weights, {"licence": "CC0-1.0"}, dtype=dtype)
    foundation = load_foundation(path)
    assert foundation.fingerprint == mark == read_header(path).metadata["fingerprint"]
    assert foundation.backbone == "nafnet"
    assert foundation.config == {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}
    assert foundation.card == {"licence": "CC0-1.0"}
    assert not foundation.model.training
    state = foundation.model.state_dict()
    assert state.keys() == tiny_weights.keys()
    for name, tensor in tiny_weights.items():
        assert state[name].dtype == torch.float32
        assert torch.equal(state[name], tensor.to(dtype).float())
    assert not any(parameter.requires_grad for parameter in foundation.model.parameters())
    reference = build_backbone("nafnet", CONFIG)
    reference.load_state_dict({name: tensor.to(dtype).float() for name, tensor in tiny_weights.items()})
    x = torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        assert torch.equal(foundation.model(x), reference(x))


def test_the_fingerprint_is_of_names_shapes_and_values(tiny_weights: dict[str, Tensor]) -> None:
    mark = fingerprint(tiny_weights)
    assert len(mark) == 64
    assert fingerprint(dict(reversed(tiny_weights.items()))) == mark
    half = {name: tensor.half() for name, tensor in tiny_weights.items()}
    assert fingerprint(half) == fingerprint({name: tensor.float() for name, tensor in half.items()}) != mark
    last = {name: t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for name, t in tiny_weights.items()}
    assert fingerprint(last) == mark
    name = "intro.weight"
    nudged = tiny_weights[name].clone()
    nudged[0, 0, 0, 0] = torch.nextafter(nudged[0, 0, 0, 0], torch.tensor(9.0))
    assert fingerprint({**tiny_weights, name: nudged}) != mark
    assert fingerprint({**tiny_weights, name: tiny_weights[name].flatten()}) != mark
    renamed = {("other" if key == name else key): tensor for key, tensor in tiny_weights.items()}
    assert fingerprint(renamed) != mark
    # Users' files name it, so it may never change.
    by_hand = hashlib.sha256(b"a[2]" + struct.pack("<2f", 1, -2) + b"b[1, 1]" + struct.pack("<f", 0.5))
    assert fingerprint({"b": torch.tensor([[0.5]]), "a": torch.tensor([1.0, -2.0])}) == by_hand.hexdigest()


def test_a_published_checkpoint_becomes_a_foundation(shared: Path, tmp_path: Path) -> None:
    with safe_open(shared / "golden" / "restormer_biasfree.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        theirs = json.loads(file.metadata()["config"])
    config = {"width": theirs["dim"], "blocks": theirs["num_blocks"], "refinement": 1, "norm_bias": False}
    weights = {key.removeprefix("weights."): value for key, value in tensors.items() if key.startswith("weights.")}
    path = tmp_path / "published.safetensors"
    save_foundation(path, "restormer", config, weights, dtype=torch.float32)
    with torch.no_grad():
        output = load_foundation(path).model(tensors["input"])
    torch.testing.assert_close(output, tensors["output"], atol=1e-5, rtol=0)


def test_weights_that_do_not_fit_are_not_saved(tmp_path: Path, tiny_weights: dict[str, Tensor]) -> None:
    path = tmp_path / "f.safetensors"
    less = {name: tensor for name, tensor in tiny_weights.items() if name != "intro.bias"}
    with pytest.raises(AdairError, match=r"'intro\.bias' is one that the weights lack"):
        save_foundation(path, "nafnet", CONFIG, less)
    with pytest.raises(AdairError, match="'zzz' is one that nafnet does not have"):
        save_foundation(path, "nafnet", CONFIG, {**tiny_weights, "zzz": torch.ones(1)})
    with pytest.raises(AdairError, match=r"'intro\.bias' has shape \[5\], nafnet needs \[4\]"):
        save_foundation(path, "nafnet", CONFIG, {**tiny_weights, "intro.bias": torch.ones(5)})
    with pytest.raises(AdairError, match="has NaN or infinite"):  # too large for float16
        save_foundation(path, "nafnet", CONFIG, {**tiny_weights, "intro.bias": torch.full((4,), 1e6)})
    with pytest.raises(AdairError, match="unknown backbone"):
        save_foundation(path, "resnet", {}, tiny_weights)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_foundation(tmp_path: Path, tiny_weights: dict[str, Tensor]) -> None:
    path = tmp_path / "x.safetensors"
    half = {name: tensor.half() for name, tensor in tiny_weights.items()}
    good = {"kind": "foundation", "backbone": "nafnet", "config": CONFIG, "fingerprint": fingerprint(half)}
    write_safetensors(path, half, good)
    load_foundation(path)
    for change, words in (
        ({"kind": "adapter"}, "is an adapter; .* expected a foundation"),
        ({"backbone": None}, "does not say which backbone"),
        ({"config": [1]}, "does not say which backbone"),
        ({"backbone": "resnet"}, "unknown backbone 'resnet'"),
        ({"config": {"width": 10**9}}, "width 1000000000 is outside"),
        ({"config": {"depth": 3}}, "unknown setting 'depth'"),
        ({"config": {**CONFIG, "width": 8}}, "has shape .* made for another network"),
        ({"config": {**CONFIG, "middle": 2}}, "lacks tensor 'middle_blks.1"),
        ({"fingerprint": "0" * 64}, "do not match its fingerprint"),
        ({"fingerprint": None}, "do not match its fingerprint"),
    ):
        write_safetensors(path, half, {**good, **change})
        with pytest.raises(AdairError, match=words) as caught:
            load_foundation(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert str(caught.value).isprintable()


def test_a_flipped_bit_in_the_weights_is_noticed(foundation_file: Path) -> None:
    content = bytearray(foundation_file.read_bytes())
    content[-1] ^= 1
    foundation_file.write_bytes(content)
    with pytest.raises(AdairError, match="do not match its fingerprint"):
        load_foundation(foundation_file)


def test_a_plain_safetensors_file_is_no_foundation(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(AdairError, match="not an AdaIR file"):
        load_foundation(path)


def test_bundled_files_are_found_by_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adair.weights.foundation.BUNDLED", tmp_path)
    assert bundled_adapters() == {}
    with pytest.raises(AdairError, match="bundled foundation is missing"):
        load_foundation()
    for name in ("sr", "foundation", "denoise"):
        (tmp_path / f"{name}.safetensors").touch()
    assert bundled_adapters() == {name: tmp_path / f"{name}.safetensors" for name in ("denoise", "sr")}
