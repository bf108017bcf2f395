"""A tiny restorer, and a data folder with a few small test sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.bench.methods import load_ours
from adair.restore import Restorer
from adair.weights import save_foundation

CONFIG = {"width": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with foundation.safetensors and adapters denoise.safetensors, sr.safetensors and other.safetensors (the
    task of which is denoise too, with other weights)."""
    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build_backbone("nafnet", CONFIG)
        with torch.no_grad():
            for name, value in model.named_parameters():
                if name.endswith(("beta", "gamma")):
                    value.add_(torch.rand(value.shape) * 0.4)
        mark = save_foundation(folder / "foundation.safetensors", "nafnet", CONFIG, model.state_dict())
        for file, task in (("denoise", "denoise"), ("sr", "sr"), ("other", "denoise")):
            adapter = create_adapter("merge", model)
            with torch.no_grad():
                for value in adapter.parameters():
                    value.add_(torch.randn(value.shape) * 0.05)
            save_adapter(folder / f"{file}.safetensors", adapter, foundation_fingerprint=mark, task=task)
    return folder


@pytest.fixture(scope="session")
def ours(model_files: Path) -> tuple[Restorer, dict[str, str]]:
    files = [model_files / "denoise.safetensors", model_files / "sr.safetensors"]
    return load_ours(model_files / "foundation.safetensors", files, "cpu", "fp32")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Test sets CBSD68 (two photos), Rain100L (two pairs), Set5 (one photo) and classic5 (one gray photo)."""
    folder = tmp_path / "sets"
    for name in ("CBSD68/1", "CBSD68/2", "Set5/baby", "Rain100L/target/1", "Rain100L/target/2"):
        write(folder / f"{name}.png", photo(40, 52))
    for name in ("1", "2"):
        write(folder / "Rain100L" / "input" / f"{name}.png", photo(40, 52) // 2)
    write(folder / "classic5" / "lena.png", photo(40, 52)[..., 0])
    return folder


def photo(height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8: smooth, with an edge."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 20)
    return (np.stack([waves, waves**2, 1 - waves], -1).clip(0, 1) * 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
