"""From the master weights and adapters to the network that restores: merged, in its final precision and layout."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from adair.adapters import AdaptedModel, Adapter
from adair.backbones import named_sites, set_local_statistics
from adair.hardware import Layout, Precision
from adair.restore.fuse import fold, fuse

REACH = 2  # cells around each that channel attention looks at: a window of 160 pixels

# Values that the network holds at its peak for every pixel, per channel of its width (measured, rounded up).
VALUES_PER_PIXEL = {"nafnet": 14, "restormer": 64}


class Deployment:
    """The network that runs, refreshed from the master weights whenever other adapters are wanted.

    Args:
        model: the master network in float32, on the device; it is left bit by bit as it was.
        precision, layout: those of the network that runs.
    """

    def __init__(self, model: nn.Module, precision: Precision, layout: Layout) -> None:
        self._master = AdaptedModel(model)
        self._precision, self._layout = precision, layout
        self._fused = copy.deepcopy(model)
        self._blocks = fuse(self._fused)
        self._ready(self._fused)

    @torch.no_grad()
    def network(self, adapters: Mapping[Adapter, float]) -> nn.Module:
        """Return the network with ``adapters`` (and their strengths) on it; it is good until the next call.

        Weights are summed in float32 and only the result is rounded to the precision. Adapters that act only on
        weights cost nothing while restoring; those with branches at sites act there.
        """
        self._master.attach(adapters)
        try:
            self._master.merge()
            if any(site.adapter is not None for _, site in named_sites(self._master.model)):
                return self._ready(copy.deepcopy(self._master.model))
            self._fused.load_state_dict(fold(self._master.model.state_dict(), self._blocks))
            return self._fused
        finally:
            self._master.detach()

    def _ready(self, network: nn.Module) -> nn.Module:
        set_local_statistics(network, REACH)
        network = network.eval().to(dtype=self._precision.dtype)
        return network.to(memory_format=self._layout.memory_format)  # type: ignore[call-overload,no-any-return]


def bytes_per_pixel(backbone: str, width: int, dtype: torch.dtype) -> float:
    """Memory that restoring takes for every pixel of a tile."""
    return float(VALUES_PER_PIXEL[backbone] * width * dtype.itemsize)
