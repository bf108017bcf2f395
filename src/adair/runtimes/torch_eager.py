"""Eager PyTorch: the network with folded layers, in the device's precision and memory layout."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adair.backbones import fuse
from adair.hardware import Layout, choose_device, choose_layout, choose_precision, tune_allocator


class TorchRuntime:
    """Runs networks with PyTorch on the CPU or a GPU; see `Runtime`.

    Args:
        device, precision: as for `choose_device` and `choose_precision`.
    """

    name = "torch"

    def __init__(self, device: str | None = None, precision: str | None = None) -> None:
        tune_allocator()
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        self.layout = choose_layout(self.device)

    def load(self, network: nn.Module) -> TorchSession:
        """Fuse the network if nothing acts at its sites, and round its weights to the precision."""
        fuse(network)
        network = network.eval().to(device=self.device, dtype=self.precision.dtype)
        network = network.to(memory_format=self.layout.memory_format)  # type: ignore[call-overload]
        return TorchSession(network, self.layout)


class TorchSession:
    """A separate network for one blend."""

    def __init__(self, network: nn.Module, layout: Layout) -> None:
        self.network = network.requires_grad_(False)
        self._layout = layout

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(tensor.nbytes for tensor in self.network.state_dict().values())

    @torch.inference_mode()
    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles (N, 3, H, W); see `Session`."""
        restored: Tensor = self.network(tiles.contiguous(memory_format=self._layout.memory_format))
        return restored
