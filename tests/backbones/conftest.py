"""Random networks of a size that a test can afford."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from adair.backbones import build_backbone


def _random_network(backbone: str, config: dict[str, Any], seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    model = build_backbone(backbone, config).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.normal_(std=0.3, generator=generator)
    return model


@pytest.fixture
def random_network() -> Callable[..., nn.Module]:
    """``random_network(backbone, config, seed=0)``: every weight drawn, none left at its neutral start."""
    return _random_network
