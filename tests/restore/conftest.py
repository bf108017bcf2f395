"""A tiny foundation with adapters, written to files as a user would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.restore import Restorer
from adair.weights import save_foundation

TASKS = ("dejpeg", "denoise", "sr")


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with foundation.safetensors, an adapter per task, and conv.safetensors (kind conv, task 'branches')."""
    folder = tmp_path_factory.mktemp("model")
    config = {"width": 8, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_backbone("nafnet", config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("beta", "gamma")):
                value.add_(torch.rand(value.shape, generator=generator) * 0.4)
            elif name.startswith("ending"):
                value.mul_(0.1)  # corrections of some hundredths, as trained networks make
    mark = save_foundation(folder / "foundation.safetensors", "nafnet", config, model.state_dict())
    for task, kind in [*((task, "merge") for task in TASKS), ("branches", "conv")]:
        adapter = create_adapter(kind, model)
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
        save_adapter(folder / f"{task}.safetensors", adapter, foundation_fingerprint=mark, task=task)
    return folder


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    """In float32 on the CPU, so that results do not depend on the machine."""
    made = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    for task in TASKS:
        made.add_adapter(model_files / f"{task}.safetensors")
    return made


@pytest.fixture
def photo() -> np.ndarray:
    """(H, W, 3) uint8: smooth, with an edge and some texture."""
    rows, columns = np.mgrid[0:60, 0:90]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 40)
    return (np.stack([waves, waves**2, 1 - waves], -1).clip(0, 1) * 255).astype(np.uint8)
