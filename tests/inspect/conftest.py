"""An estimator without training, which says what it is told to say."""

from __future__ import annotations

import pytest
import torch

from adair.inspect import Estimator


@pytest.fixture
def estimator() -> Estimator:
    """Tiny, with random weights and statistics, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    made = Estimator(width=4)
    with torch.no_grad():
        for value in made.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) * 0.4 + (0.1 if value.ndim < 2 else -0.2))
    return made.eval().requires_grad_(False)
