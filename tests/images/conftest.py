"""A small photo."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def photo() -> np.ndarray:
    """(H, W, 3) uint8: smooth, with an edge and some texture."""
    rows, columns = np.mgrid[0:60, 0:90]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 40)
    return (np.stack([waves, waves**2, 1 - waves], -1).clip(0, 1) * 255).astype(np.uint8)
