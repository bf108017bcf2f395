"""A tiny network with a few adapters, and what the page needs around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.restore import Restorer
from adair.ui.config import UiConfig
from adair.ui.desk import Desk
from adair.ui.workspace import Workspace
from adair.weights import save_foundation

TASKS = ("dejpeg", "denoise", "sr")
Upload = Callable[..., Path]


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with foundation.safetensors and an adapter for each task."""
    folder = tmp_path_factory.mktemp("model")
    config = {"width": 8, "encoder": (1,), "middle": 1, "decoder": (1,)}
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_backbone("nafnet", config)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith(("beta", "gamma")):
                value.add_(torch.rand(value.shape, generator=generator) * 0.4)
            elif name.startswith("ending"):
                value.mul_(0.1)
    mark = save_foundation(folder / "foundation.safetensors", "nafnet", config, model.state_dict())
    for task in TASKS:
        adapter = create_adapter("merge", model)
        with torch.no_grad():
            for value in adapter.parameters():
                value.add_(torch.randn(value.shape, generator=generator) * 0.05)
        save_adapter(folder / f"{task}.safetensors", adapter, foundation_fingerprint=mark, task=task)
    return folder


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    restorer = Restorer.load(model_files / "foundation.safetensors", precision="fp32")
    for task in TASKS:
        restorer.add_adapter(model_files / f"{task}.safetensors")
    return restorer


@pytest.fixture
def desk(restorer: Restorer, tmp_path: Path) -> Iterator[Desk]:
    with Workspace(tmp_path) as workspace:
        yield Desk(UiConfig(max_megapixels=1), restorer, workspace)


@pytest.fixture
def upload(desk: Desk) -> Upload:
    """Makes a photo where Gradio would have put it."""

    def make(name: str = "photo.png", size: tuple[int, int] = (96, 64)) -> Path:
        generator = np.random.default_rng(0)
        path = desk.workspace.uploads / name
        Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        return path

    return make
