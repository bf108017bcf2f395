"""Adapter files: exactly the adapter's tensors, on exactly the foundation that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adair.adapters import KINDS, AdaptedModel, Adapter, load_adapter, save_adapter
from adair.errors import AdairError
from adair.weights import Foundation, fingerprint, read_header, read_tensors, save_foundation, write_safetensors

Maker = Callable[..., Adapter]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_round_trip(
    foundation: Foundation, image: Tensor, trained: Maker, tmp_path: Path, kind: str, dtype: torch.dtype
) -> None:
    adapter, path = trained(kind, foundation.model), tmp_path / "a.safetensors"
    card = {"recipe": "noise(sigma=25)", "licence": "CC0-1.0", "steps": 3}
    mark = foundation.fingerprint
    save_adapter(path, adapter, foundation_fingerprint=mark, task="denoise", card=card, dtype=dtype)

    header = read_header(path)
    assert header.kind == "adapter"
    assert header.metadata == {
        "format": 1,
        "kind": "adapter",
        "adapter": {"kind": kind, "options": adapter.options},
        "foundation": mark,
        "task": "denoise",
        "checksum": fingerprint(read_tensors(header)),
        "card": card,
    }
    assert header.tensors.keys() == {name for name, _ in adapter.named_parameters()}
    assert header.parameters == sum(parameter.numel() for parameter in adapter.parameters())
    assert {info.dtype for info in header.tensors.values()} == {"F16" if dtype == torch.float16 else "F32"}

    loaded = load_adapter(path, foundation)
    assert (loaded.task, loaded.card) == ("denoise", card)
    assert (loaded.adapter.kind, loaded.adapter.options) == (kind, adapter.options)
    assert all(p.dtype == torch.float32 and p.requires_grad for p in loaded.adapter.parameters())
    adapted = AdaptedModel(foundation.model)
    outputs = []
    for each in (adapter, loaded.adapter):
        adapted.attach(each)
        with torch.no_grad():
            outputs.append(adapted(image))
    assert torch.equal(*outputs)


def test_an_adapter_for_a_lower_resolution(nafnet: Foundation, image: Tensor, trained: Maker, tmp_path: Path) -> None:
    half, path = nafnet.unshuffled(2), tmp_path / "a.safetensors"
    adapter = trained("merge", half.model)
    save_adapter(path, adapter, foundation_fingerprint=nafnet.fingerprint, task="sr", dtype=torch.float32)
    assert read_header(path).metadata["adapter"]["unshuffle"] == 2
    loaded = load_adapter(path, nafnet).adapter
    assert loaded.unshuffle == 2
    outputs = []
    for each in (adapter, loaded):
        adapted = AdaptedModel(half.model)
        adapted.attach(each)
        with torch.no_grad():
            outputs.append(adapted(image))
    assert torch.equal(*outputs)
    with pytest.raises(AdairError, match="does not fit this network"):
        AdaptedModel(nafnet.model).attach(loaded)


@pytest.mark.parametrize("factor", [0, -2, 5, 2.0, "2", None, True])
def test_a_damaged_resolution_is_refused(nafnet: Foundation, trained: Maker, tmp_path: Path, factor: Any) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="sr")
    header = read_header(path)
    metadata = {**header.metadata, "adapter": {**header.metadata["adapter"], "unshuffle": factor}}
    write_safetensors(path, read_tensors(header), metadata)
    with pytest.raises(AdairError, match=r"a\.safetensors: .*unshuffle"):
        load_adapter(path, nafnet)


def test_values_that_float16_cannot_hold_are_not_saved(nafnet: Foundation, trained: Maker, tmp_path: Path) -> None:
    adapter = trained("merge", nafnet.model)
    with torch.no_grad():
        next(adapter.parameters()).view(-1)[0] = 1e6
    with pytest.raises(AdairError, match="has NaN or infinite"):
        save_adapter(tmp_path / "a.safetensors", adapter, foundation_fingerprint="0", task="x")


@pytest.mark.parametrize("task", ["", "a b", "../evil", "x" * 65, "-x", "new\nline"])
def test_a_task_must_have_a_name(nafnet: Foundation, trained: Maker, tmp_path: Path, task: str) -> None:
    with pytest.raises(AdairError, match="is not a valid name"):
        save_adapter(tmp_path / "a.safetensors", trained("merge", nafnet.model), foundation_fingerprint="0", task=task)


Damage = Callable[[dict[str, Tensor], dict[str, Any]], None]


def _set(key: str, value: Any) -> Damage:
    return lambda tensors, metadata: metadata.update({key: value})


def _lose(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    del tensors["ending.bias.full"]


def _add(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    tensors["stranger"] = torch.zeros(1)


def _reshape(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    tensors["ending.bias.full"] = torch.zeros(1, 3)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "missing tensor": (_lose, r"lacks tensor 'ending\.bias\.full'"),
    "extra tensor": (_add, "has the unknown tensor 'stranger'"),
    "misshaped tensor": (_reshape, r"'ending\.bias\.full' has shape \[1, 3\], expected \[3\]"),
    "wrong foundation": (_set("foundation", "f" * 64), "is for foundation ffffffffffff, but this one is"),
    "no foundation": (_set("foundation", None), "is for foundation None"),
    "foundation with escapes": (_set("foundation", "\x1b[2J" * 99), r"is for foundation '\\x1b"),
    "foundation file": (_set("kind", "foundation"), "is a foundation; expected an adapter"),
    "wrong kind": (_set("adapter", {"kind": "conv", "options": {"reduction": 2}}), "lacks tensor '.*site1"),
    "unknown kind": (_set("adapter", {"kind": "lora", "options": {}}), "unknown kind of adapter 'lora'"),
    "kind of no kind": (_set("adapter", {"kind": ["merge"], "options": {}}), "unknown kind of adapter"),
    "no description": (_set("adapter", "merge"), "does not describe its adapter"),
    "no options": (_set("adapter", {"kind": "merge"}), "does not describe its adapter"),
    "other rank": (_set("adapter", {"kind": "merge", "options": {"rank": 1}}), "has shape"),
    "absurd rank": (_set("adapter", {"kind": "merge", "options": {"rank": 10**30}}), "lacks tensor"),
    "negative rank": (_set("adapter", {"kind": "merge", "options": {"rank": -1}}), "rank must be"),
    "unknown option": (_set("adapter", {"kind": "merge", "options": {"exec": "1"}}), "unknown option 'exec'"),
    "task with escapes": (_set("task", "\x1b[2J"), r"its task '\\x1b\[2J'"),
    "task of a type": (_set("task", 3), "its task 3"),
    "card of a type": (_set("card", [1]), "its card is not readable"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_each_damage_has_its_own_message(nafnet: Foundation, trained: Maker, tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="denoise")
    header = read_header(path)
    tensors, metadata = read_tensors(header), dict(header.metadata)
    write_safetensors(path, tensors, metadata)
    load_adapter(path, nafnet)  # the copy is sound until it is damaged
    damage, words = DAMAGES[case]
    damage(tensors, metadata)
    write_safetensors(path, tensors, metadata)
    with pytest.raises(AdairError, match=words) as caught:
        load_adapter(path, nafnet)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_nan_in_a_file(nafnet: Foundation, trained: Maker, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="denoise")
    content = path.read_bytes()
    path.write_bytes(content[:-2] + b"\x00\x7e")  # NaN in float16
    with pytest.raises(AdairError, match="has NaN or infinite"):
        load_adapter(path, nafnet)


def test_an_adapter_opens_only_on_its_foundation(
    nafnet: Foundation, other_foundation: Foundation, trained: Maker, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="denoise")
    load_adapter(path, nafnet)
    with pytest.raises(
        AdairError, match=f"{nafnet.fingerprint[:12]}, but this one is {other_foundation.fingerprint[:12]}"
    ):
        load_adapter(path, other_foundation)


def test_files_of_other_kinds(nafnet: Foundation, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(AdairError, match="not an AdaIR file; expected an adapter"):
        load_adapter(path, nafnet)
    save_foundation(path, nafnet.backbone, nafnet.config, nafnet.model.state_dict())
    with pytest.raises(AdairError, match="is a foundation; expected an adapter"):
        load_adapter(path, nafnet)


@pytest.mark.parametrize("damage", ["flipped bit", "float16 relabelled"])
def test_damaged_values_are_refused(nafnet: Foundation, trained: Maker, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="denoise")
    data = bytearray(path.read_bytes())
    if damage == "flipped bit":
        data[-1] ^= 1
    else:
        data = bytearray(bytes(data).replace(b'"F16"', b'"BF16"'))
        length = int.from_bytes(path.read_bytes()[:8], "little") + bytes(data).count(b'"BF16"')
        data[:8] = length.to_bytes(8, "little")
    path.write_bytes(data)
    with pytest.raises(AdairError, match=r"a\.safetensors: its weights do not match its checksum"):
        load_adapter(path, nafnet)


def test_files_without_a_checksum_still_open(nafnet: Foundation, trained: Maker, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_adapter(path, trained("merge", nafnet.model), foundation_fingerprint=nafnet.fingerprint, task="denoise")
    header = read_header(path)
    metadata = {key: value for key, value in header.metadata.items() if key != "checksum"}
    write_safetensors(path, read_tensors(header), metadata)
    assert load_adapter(path, nafnet).task == "denoise"
