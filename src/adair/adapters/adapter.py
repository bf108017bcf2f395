"""What every kind of adapter is: parameters of its own, and how they act on a frozen network."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Delta(nn.Module):
    """A change of a weight of ``shape``, linear in its strength."""

    shape: tuple[int, ...]

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        """Return float32 ``weight`` plus ``strength`` times the change; differentiable in the parameters."""
        raise NotImplementedError


class Branch(nn.Module):
    """A module that stands at a site of ``channels`` channels: (N, C, H, W) to (N, C, H, W)."""

    channels: int


class Adapter(nn.Module):
    """Base of the kinds. Its parameters are exactly the tensors that are trained and stored.

    A kind acts through `deltas` (changes of the network's weights), through `branches` (modules beside the network's
    own branches, at its sites), or both. Deltas alone can be merged into the weights.

    Attributes:
        kind: its name in files and on command lines.
        options: the settings that, with the network, give its tensors their shapes; JSON values.
    """

    kind: ClassVar[str]

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.options = options

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the starting values, on the CPU; the network's output is then exactly that without the adapter."""
        raise NotImplementedError

    def deltas(self) -> dict[str, Delta]:
        """Return the network's parameter names with the change of each."""
        return {}

    def branches(self) -> dict[str, Branch]:
        """Return the network's site names with the module that stands there."""
        return {}


def plant(root: nn.Module, path: str, module: nn.Module) -> None:
    """Place ``module`` at a dotted path below ``root``, so that its tensors are named after the network's own."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)
