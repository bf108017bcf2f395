"""The networks compute what the published ones compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from adair.backbones import build_backbone

OWN = sorted((Path(__file__).parent / "golden").glob("*.safetensors"))
PUBLISHED = ["nafnet", "restormer_withbias", "restormer_biasfree"]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def _difference(tensors: dict[str, Tensor], backbone: str, config: dict[str, Any]) -> float:
    model = build_backbone(backbone, config)
    weights = {key.removeprefix("weights."): value for key, value in tensors.items() if key.startswith("weights.")}
    model.load_state_dict({key: value.float() for key, value in weights.items()})
    # In double precision: float32 differs from processor to processor, and with two channels and attention between
    # few pixels these differences grow to 0.01 while a wrong formula would be seen anyway.
    with torch.no_grad():
        return (model.double()(tensors["input"].double()) - tensors["output"]).abs().max().item()


@pytest.mark.parametrize("name", PUBLISHED)
def test_matches_the_published_network(shared: Path, name: str) -> None:
    tensors, about = _read(shared / "golden" / f"{name}.safetensors")
    theirs = json.loads(about["config"])
    if name == "nafnet":
        config = {
            "width": theirs["width"],
            "encoder": theirs["enc_blk_nums"],
            "middle": theirs["middle_blk_num"],
            "decoder": theirs["dec_blk_nums"],
        }
    else:
        config = {
            "width": theirs["dim"],
            "blocks": theirs["num_blocks"],
            "refinement": theirs["num_refinement_blocks"],
            "heads": theirs["heads"],
            "expansion": theirs["ffn_expansion_factor"],
            "norm_bias": theirs["LayerNorm_type"] == "WithBias",
        }
    assert _difference(tensors, name.partition("_")[0], config) <= 1e-5


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_matches_our_own_golden_output(path: Path) -> None:
    tensors, about = _read(path)
    assert (tensors["output"] - tensors["input"]).abs().max() > 0.05  # the network did something
    assert _difference(tensors, about["backbone"], json.loads(about["config"])) <= 1e-5


def test_own_golden_files_cover_both_backbones_and_both_norms() -> None:
    assert [path.stem for path in OWN] == ["nafnet", "restormer", "restormer_biasfree"]
