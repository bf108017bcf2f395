"""How the network is computed in training."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


def compiled(model: nn.Module, wanted: bool) -> nn.Module:
    """Return what to call for ``model``: itself, or itself compiled (`torch.compile`), which shares its parameters.

    Compiling joins what stands between the convolutions into few kernels. It takes a minute or so, again for every size
    of patch: sizes are held fixed, as code for any size is slower. It needs a C++ compiler, or Triton on a GPU.
    """
    return cast(nn.Module, torch.compile(model, dynamic=False)) if wanted else model
