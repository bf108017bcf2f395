"""Kind ``merge``: changes of the network's own weights, low-rank where weights are many (LoRA, arXiv 2106.09685).

Large convolutions get a product of two thin matrices; small ones, as well as depthwise kernels, norms, biases and
scales, get a full delta. In a U-net a block of any level takes about the same time but has four times the weights of
one a level above; what a task has to change lies in the upper ones, where full deltas are cheap (docs/decisions/0008).
All of it is linear in the weights, so it merges exactly into them, costs nothing when restoring, scales with a strength
and blends with others.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from adair.adapters.adapter import Adapter, Delta, plant
from adair.errors import AdairError


class LowRankDelta(Delta):
    """The change ``up @ down`` of a weight that is seen as a matrix: output channels by everything else."""

    def __init__(self, shape: tuple[int, ...], rank: int) -> None:
        super().__init__()
        self.shape = shape
        self.up = nn.Parameter(torch.zeros(shape[0], rank))
        self.down = nn.Parameter(torch.zeros(rank, math.prod(shape[1:])))

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        up, down = self.up.float(), self.down.float()  # nothing to do, unless a user stores adapters in less
        return torch.addmm(weight.flatten(1), up, down, alpha=strength).view(self.shape)


class FullDelta(Delta):
    """The change of every value of a parameter."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.full = nn.Parameter(torch.zeros(shape))

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        return torch.add(weight, self.full, alpha=strength)


class MergeAdapter(Adapter):
    """A delta for every parameter of the network.

    Args:
        model: the network; only the shapes of its parameters are looked at.
        rank: of the low-rank deltas; a weight for which that would cost more than a full delta gets the full one.
        full: weights of at most so many values get a full delta in any case; 0: only those of the line above.

    Raises:
        AdairError: a rank that is no whole number from 1 up, or a ``full`` that is none from 0 up.
    """

    kind: ClassVar[str] = "merge"

    def __init__(self, model: nn.Module, rank: int = 8, full: int = 0) -> None:
        if type(rank) is not int or rank < 1:
            raise AdairError(f"merge adapter: rank must be a whole number from 1 up, not {rank!r}")
        if type(full) is not int or full < 0:
            raise AdairError(f"merge adapter: full must be a whole number from 0 up, not {full!r}")
        super().__init__({"rank": rank, "full": full} if full else {"rank": rank})
        self._deltas: dict[str, LowRankDelta | FullDelta] = {}
        dense = {f"{name}.weight" for name, module in model.named_modules() if _is_dense(module)}
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            product = rank * (shape[0] + math.prod(shape[1:]))
            thin = name in dense and math.prod(shape) > max(product, full)
            self._deltas[name] = LowRankDelta(shape, rank) if thin else FullDelta(shape)
            plant(self, name, self._deltas[name])

    def initialise(self, generator: torch.Generator) -> None:
        """Start at zero, but for ``down``: its deviation of 1/sqrt(rank) lets one step of Adam move a weight by about
        as much in a low-rank delta as in a full one, so that one learning rate suits both.
        """
        for delta in self._deltas.values():
            if isinstance(delta, LowRankDelta):
                nn.init.zeros_(delta.up)
                nn.init.normal_(delta.down, std=delta.down.shape[0] ** -0.5, generator=generator)
            else:
                nn.init.zeros_(delta.full)

    def deltas(self) -> dict[str, Delta]:
        return dict(self._deltas)


def _is_dense(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
