"""A tiny foundation with adapters, as a restorer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.export import compare
from adair.restore import Restorer
from adair.weights import save_foundation

CONFIG = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with foundation.safetensors and the adapters denoise, dejpeg and sr."""
    folder = tmp_path_factory.mktemp("model")
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_backbone("nafnet", CONFIG)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("beta", "gamma")):
                value.add_(torch.rand(value.shape, generator=generator) * 0.4)
            elif name.startswith("ending"):
                value.mul_(0.1)
    card = {"licence": "CC0-1.0"}
    mark = save_foundation(folder / "foundation.safetensors", "nafnet", CONFIG, model.state_dict(), card)
    for task in ("denoise", "dejpeg", "sr", "deblur"):
        adapter = create_adapter("merge", model)
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
        save_adapter(
            folder / f"{task}.safetensors", adapter, foundation_fingerprint=mark, task=task, card={"about": task}
        )
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare small parts of the photos, for speed."""
    monkeypatch.setattr(compare, "SIDE", 96)


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    made = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    for task in ("denoise", "dejpeg", "sr", "deblur"):
        made.add_adapter(model_files / f"{task}.safetensors")
    return made


@pytest.fixture
def photo() -> np.ndarray:
    """(H, W, 3) uint8 with noise, larger than a tile of 256."""
    rows, columns = np.mgrid[0:300, 0:420]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 200)
    noise = np.random.default_rng(1).normal(0, 0.05, (300, 420, 3))
    return ((np.stack([waves, waves**2, 1 - waves], -1) + noise).clip(0, 1) * 255).astype(np.uint8)
