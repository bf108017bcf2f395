"""``adair merge`` from the words on the command line to the file that restores as the blend does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.cli.main import main
from adair.images import read_image, write_image
from adair.weights import foundation as foundation_module
from adair.weights import load_foundation, save_foundation

CONFIG = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the words of a command line start: files "a" and "b" of kind merge, "c" of kind conv, and a foundation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(foundation_module, "BUNDLED", tmp_path)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = build_backbone("nafnet", CONFIG).state_dict()
    weights = {name: value + 0.3 if name.endswith(("beta", "gamma")) else value for name, value in state.items()}
    mark = save_foundation("foundation.safetensors", "nafnet", CONFIG, weights)
    network = load_foundation("foundation.safetensors").model
    for name, kind in (("a", "merge"), ("b", "merge"), ("c", "conv")):
        adapter = create_adapter(kind, network, rank=2) if kind == "merge" else create_adapter(kind, network)
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
        card = {"licence": "Apache-2.0", "recipe": f"noise(sigma={ord(name)})"}
        save_adapter(f"{name}.safetensors", adapter, foundation_fingerprint=mark, task=name, card=card)
    return tmp_path


def merge(*words: str) -> int:
    return main(["merge", *words])


def test_adapters_have_the_names_of_other_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and the zoo; the others are `locate`'s."""
    (folder / "zoo").mkdir()
    (folder / "a.safetensors").rename(folder / "zoo" / "dehaze.safetensors")
    (folder / "mine").mkdir()
    (folder / "b.safetensors").rename(folder / "mine" / "b.safetensors")
    monkeypatch.chdir(folder / "mine")
    monkeypatch.setenv("ADAIR_ZOO", str(folder / "zoo"))
    assert merge("zoo/dehaze", "../mine", "-o", "../both.safetensors") == 0
    assert (folder / "both.safetensors").exists()


def test_the_file_restores_as_the_blend_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge("a.safetensors", "b.safetensors", "--weights", "0.7,0.3", "-o", "ab.safetensors") == 0
    text = capsys.readouterr().out
    assert "0.7 x a + 0.3 x b" in text
    assert "--task ab" in text
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    write_image(folder / "photo.png", photo)
    options = ["--device", "cpu", "--precision", "fp32"]
    for task, name in (("a=0.7,b=0.3", "blend.png"), ("ab", "merged.png"), ("a", "a.png")):
        assert main(["restore", "photo.png", "-t", task, "-o", name, "--adapter", "ab.safetensors", *options]) == 0
    blend, merged, alone = (
        read_image(folder / name).pixels.astype(int) for name in ("blend.png", "merged.png", "a.png")
    )
    assert np.abs(blend - merged).max() <= 1
    assert np.abs(blend - merged).mean() < 0.02
    assert np.abs(blend - alone).mean() > 0.5


def test_json_and_what_info_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert merge("a", "b.safetensors", "--rank", "3", "--task", "mine", "-o", "x.safetensors", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["task"], facts["rank"], facts["exact_rank"], facts["licence"]) == ("mine", 3, 4, "Apache-2.0")
    assert facts["bytes"] == (folder / "x.safetensors").stat().st_size
    assert 0 < facts["relative_error"] < 1
    assert [(parent["task"], parent["weight"]) for parent in facts["parents"]] == [("a", 0.5), ("b", 0.5)]
    assert main(["info", "x.safetensors", "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["card"]["merged"]["parents"] == facts["parents"]
    assert info["fits_bundled_foundation"] is True
    assert merge("x.safetensors", "a", "-o", "again.safetensors") == 0  # a merged file is a file like any other
    assert merge("a", "b", "--rank", "3", "-o", "less.safetensors") == 0
    assert "--rank 4 would be exact" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "c", "-o", "x.safetensors"], "c.safetensors (kind conv): cannot become one file"),
        (["a", "nothing", "-o", "x.safetensors"], "nothing: not found; check the name"),
        (["a", "foundation.safetensors", "-o", "x.safetensors"], "foundation.safetensors: is a foundation"),
        (["a", "b", "-o", "a.safetensors"], "a.safetensors: exists"),
        (["a", "b", "-o", "x.safetensors", "--weights", "0.7"], "2 adapter files and 1 weights"),
        (["a", "b", "-o", "x.safetensors", "--weights", "0.7,much"], "--weights 0.7,much: not a list of numbers"),
        (["a", "b", "-o", "x.safetensors", "--weights", "0.7,-1"], "strength -1 is negative"),
        (["a", "b", "-o", "x.safetensors", "--weights", "0.7,3"], "strength 3 is above 1"),
        (["a", "b", "-o", "x.safetensors", "--rank", "0"], "rank must be a positive integer, not 0"),
        (["a", "b", "-o", "auto.safetensors"], "task name 'auto' is taken"),
        (["a", "b", "-o", "a+b.safetensors"], "task 'a+b' is not a valid name"),
        (["a", "b", "-o", "none/x.safetensors"], "none/x.safetensors: cannot be written"),
        (["a", "b"], "--output"),
        (["-o", "x.safetensors"], "ADAPTER"),
    ],
)
def test_bad_use_is_one_line_and_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert merge(*words) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_adapters_of_two_foundations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = load_foundation("foundation.safetensors").model
    adapter = create_adapter("merge", network, rank=2)
    save_adapter("d.safetensors", adapter, foundation_fingerprint="ab" * 32, task="d")
    assert merge("a", "d.safetensors", "-o", "x.safetensors") == 2
    assert "d.safetensors: is for another foundation than" in capsys.readouterr().err


def test_overwrite(folder: Path) -> None:
    assert merge("a", "b", "-o", "x.safetensors") == 0
    first = (folder / "x.safetensors").read_bytes()
    assert merge("a", "b", "--weights", "1,0", "-o", "x.safetensors", "--overwrite") == 0
    assert (folder / "x.safetensors").read_bytes() != first
