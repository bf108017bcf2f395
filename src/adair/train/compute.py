"""How the network is computed in training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def compiled(forward: Callable[[Tensor], Tensor], wanted: bool) -> Callable[[Tensor], Tensor]:
    """Return what to call for ``forward``: itself, or itself compiled (`torch.compile`), with the same parameters.

    Compiling joins what stands between the convolutions into few kernels. It takes a minute or so, again for every size
    of patch: sizes are held fixed, as code for any size is slower. It needs a C++ compiler, or Triton on a GPU.
    """
    return torch.compile(forward, dynamic=False) if wanted else forward
