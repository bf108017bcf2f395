"""A tiny foundation, and adapters that have been trained as far as the tests care: every value random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from adair.adapters import Adapter, create_adapter
from adair.backbones import build_backbone
from adair.weights import Foundation, load_foundation, save_foundation

CONFIGS: dict[str, dict[str, Any]] = {
    "nafnet": {"width": 8, "encoder": [1, 1], "middle": 1, "decoder": [1, 1]},
    "restormer": {"width": 4, "blocks": [1, 1, 1, 1], "refinement": 1, "heads": [1, 1, 2, 4]},
}


def _foundation(folder: Path, backbone: str, seed: int = 0) -> Foundation:
    generator = torch.Generator().manual_seed(seed)
    state = build_backbone(backbone, CONFIGS[backbone]).state_dict()
    weights = {
        name: 0.2 * torch.randn(tensor.shape, generator=generator) + ("norm" in name) for name, tensor in state.items()
    }
    path = folder / f"{backbone}{seed}.safetensors"
    save_foundation(path, backbone, CONFIGS[backbone], weights)
    return load_foundation(path)


@pytest.fixture(params=CONFIGS)
def foundation(request: pytest.FixtureRequest, tmp_path: Path) -> Foundation:
    """A foundation of either backbone."""
    return _foundation(tmp_path, request.param)


@pytest.fixture
def nafnet(tmp_path: Path) -> Foundation:
    """The NAFNet one, where the backbone makes no difference."""
    return _foundation(tmp_path, "nafnet")


@pytest.fixture
def other_foundation(tmp_path: Path) -> Foundation:
    """A NAFNet of the same shape as `nafnet`, with other weights."""
    return _foundation(tmp_path, "nafnet", seed=1)


@pytest.fixture
def image() -> Tensor:
    """A random image of a size that needs padding."""
    return torch.rand(2, 3, 17, 22, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def trained() -> Callable[..., Adapter]:
    """``trained(kind, model, seed=0, **options)``: an adapter with random values that fit float16 exactly."""

    def make(kind: str, model: torch.nn.Module, seed: int = 0, **options: Any) -> Adapter:
        if not options:
            options = {"rank": 2} if kind == "merge" else {"reduction": 2}
        adapter = create_adapter(kind, model, **options)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in adapter.parameters():
                parameter.copy_((0.1 * torch.randn(parameter.shape, generator=generator)).half())
        return adapter

    return make
