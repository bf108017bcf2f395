"""Checkpoints in the layout of the published ones become foundations that compute what their networks do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from adair.backbones import build_backbone
from adair.errors import AdairError, FileFormatError, InputError
from adair.weights import load_foundation
from adair.weights.published import import_foundation

CONFIGS: dict[str, dict[str, Any]] = {
    "nafnet": {"width": 8, "encoder": (1, 2), "middle": 3, "decoder": (2, 1)},
    "restormer": {
        "width": 8,
        "blocks": (1, 2, 1, 1),
        "refinement": 2,
        "heads": (1, 2, 2, 4),
        "norm_bias": False,
    },
}


def network(name: str) -> nn.Module:
    return build_backbone(name, CONFIGS[name]).eval()


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("layout", ["safetensors", "params", "bare", "distributed"])
def test_a_checkpoint_becomes_a_foundation(name: str, layout: str, tmp_path: Path) -> None:
    model = network(name)
    tensors = model.state_dict()
    path = tmp_path / ("net.safetensors" if layout == "safetensors" else "net.pth")
    if layout == "safetensors":
        save_file(tensors, path)
    elif layout == "distributed":
        torch.save({"state_dict": {f"module.{key}": value for key, value in tensors.items()}, "epoch": 3}, path)
    else:
        torch.save({"params": tensors} if layout == "params" else tensors, path)
    target = tmp_path / "foundation.safetensors"
    mark = import_foundation(path, target, allow_pickle=True, card={"licence": "MIT"}, dtype=torch.float32)
    loaded = load_foundation(target)
    assert loaded.fingerprint == mark
    assert loaded.card == {"imported_from": path.name, "licence": "MIT"}
    assert {key: loaded.config[key] for key in CONFIGS[name]} == CONFIGS[name]
    x = torch.rand(1, 3, 24, 40)
    torch.testing.assert_close(loaded.model(x), model(x).detach(), atol=1e-5, rtol=1e-4)


def test_refusals(tmp_path: Path) -> None:
    target, path = tmp_path / "foundation.safetensors", tmp_path / "net.pth"
    torch.save(network("nafnet").state_dict(), path)
    with pytest.raises(InputError, match="--allow-pickle reads tensors from PyTorch's format"):
        import_foundation(path, target)

    torch.save({"params": print}, path)
    with pytest.raises(FileFormatError, match="cannot be read"):
        import_foundation(path, target, allow_pickle=True)
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(FileFormatError, match="neither a NAFNet nor a Restormer"):
        import_foundation(path, target, allow_pickle=True)
    torch.save([torch.zeros(2)], path)
    with pytest.raises(FileFormatError, match="something other than named tensors"):
        import_foundation(path, target, allow_pickle=True)
    for name in ("none", "none.safetensors", "none.pth"):
        with pytest.raises(AdairError, match=rf"{name}: not found"):
            import_foundation(tmp_path / name, target)
    assert not target.exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from adair.cli.main import main

    path, target = tmp_path / "net.pth", tmp_path / "foundation.safetensors"
    torch.save({"params": network("nafnet").state_dict()}, path)
    assert main(["adopt", str(path), "-o", str(target)]) == 2
    assert "--allow-pickle" in capsys.readouterr().err
    assert main(["adopt", str(path), "-o", str(target), "--allow-pickle", "--licence", "MIT"]) == 0
    assert "nafnet" in capsys.readouterr().out
    assert load_foundation(target).card["licence"] == "MIT"
