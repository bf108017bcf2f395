"""What baselines work on: arrays (H, W, 3) instead of tensors, and the facts that non-blind methods need."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adair.bench.case import Case
from adair.errors import AdairError

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


def floats(x: Tensor) -> Floats:
    """(1, 3, H, W) -> (H, W, 3) float64; values outside 0..1 are kept."""
    return x[0].permute(1, 2, 0).double().contiguous().numpy()


def eight_bits(x: Tensor) -> Bytes:
    """(1, 3, H, W) -> (H, W, 3) in 0..255, clipped and rounded, for methods that need 8 bits."""
    return x[0].clamp(0.0, 1.0).mul(255.0).round().byte().permute(1, 2, 0).contiguous().numpy()


def tensor(pixels: npt.NDArray[Any]) -> Tensor:
    """(H, W, 3), floats in 0..1 or bytes -> (1, 3, H, W) float32 in 0..1."""
    top = 255.0 if pixels.dtype == np.uint8 else 1.0
    return torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).div(top).permute(2, 0, 1).unsqueeze(0)


def stated(case: Case, fact: str) -> float:
    """Return a fact about a case.

    Raises:
        AdairError: the suite does not state it, so the method cannot be used there.
    """
    if fact not in case.facts:
        raise AdairError(f"needs {fact}, which suite {case.suite} does not state")
    return case.facts[fact]
