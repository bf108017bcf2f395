"""The interface between the restorer and the runtimes."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from adair.hardware import Precision


class Session(Protocol):
    """One network, ready to run. It never changes, so any number of threads may call it at once."""

    @property
    def nbytes(self) -> int:
        """Memory of its weights, in bytes; the restorer caches as many sessions as fit into its limit."""

    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles.

        Args:
            tiles: (N, 3, H, W), float32, RGB in 0..1 (unclipped noise may be outside), on the runtime's
                device; any N, H and W from 1 up. It is not changed.

        Returns:
            A tensor of the same shape, float32, not clamped, on any device.

        Raises:
            MemoryError, torch.OutOfMemoryError: the tiles are too large; the caller tries smaller ones.
        """


class Runtime(Protocol):
    """Makes sessions for one device and precision.

    Attributes:
        name: as in `RUNTIMES`.
        device: the device of the tiles.
        precision: the number format that the network computes in.
    """

    name: str
    device: torch.device
    precision: Precision

    def load(self, network: nn.Module) -> Session:
        """Make a session of a network.

        Args:
            network: a backbone in float32 and evaluation mode, with the adapters of a blend merged into its weights
                (those that cannot be merged act at its sites) and its pooling set to local statistics. It now belongs
                to the runtime, which may change it.

        Raises:
            AdairError: a network that this runtime cannot run.
        """
