"""Objectives: how patches of photos become inputs and targets, and the loss between the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from adair.degradations import Recipe

Batch = tuple[Tensor, Tensor]
TILE = 16  # pixels covered by one pixel of the deepest level: the period of patterns that upsampling can leave


class Objective(Protocol):
    """What a run learns. ``str`` gives its description for the card of the result."""

    @property
    def shrinks(self) -> bool:
        """Whether photos may be reduced: not if their own pixels contain the damage."""

    def source_side(self, side: int) -> int:
        """Return the side, in pixels of a photo, of the area that a patch of ``side`` pixels is made from."""

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Make (target, input), each (N, 3, side, side), from patches (N, C, source_side(side), source_side(side))."""

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of the network's results."""


@dataclass(frozen=True)
class SyntheticPairs:
    """Undo a recipe: patches of clean photos are targets, their degraded copies inputs; L1."""

    recipe: Recipe
    shrinks = True

    def source_side(self, side: int) -> int:
        """Return ``side``: pixels are used as they are."""
        return side

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Degrade patches (N, 3, side, side)."""
        return patches, self.recipe.apply(patches, generator)

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference."""
        return (restored - target).abs().mean()

    def __str__(self) -> str:
        return str(self.recipe)


@dataclass(frozen=True)
class GivenPairs:
    """Learn from given pairs: photos with six channels, three of the clean image and three of the degraded one; L1."""

    shrinks = False

    def source_side(self, side: int) -> int:
        """Return ``side``: pixels are used as they are."""
        return side

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Split patches (N, 6, side, side)."""
        clean, degraded = patches.split(3, dim=1)
        return clean, degraded.contiguous(memory_format=torch.channels_last)

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference."""
        return (restored - target).abs().mean()

    def __str__(self) -> str:
        return "given pairs"


@dataclass(frozen=True)
class ToneAndDetail:
    """An objective whose damage changes the tone (haze, darkness, a colour cast): tone and detail count separately.

    While the tone of a patch is wrong by more than the fine pattern that upsampling leaves on it, a plain L1 loss is
    blind to the pattern: what one pixel loses, its neighbour gains. Restored photos therefore showed a grid. Here,
    local means and residuals each have an L1 term of their own.
    """

    objective: Objective

    @property
    def shrinks(self) -> bool:
        """The objective's value."""
        return self.objective.shrinks

    def source_side(self, side: int) -> int:
        """Return the objective's result."""
        return self.objective.source_side(side)

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Return the objective's result."""
        return self.objective.pair(patches, generator)

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Return the mean absolute difference of local means, plus that of the residuals."""
        error = restored - target
        tone = local_means(error)
        detail = error - F.interpolate(tone, scale_factor=TILE)[..., : error.shape[2], : error.shape[3]]
        return tone.abs().mean() + detail.abs().mean()

    def __str__(self) -> str:
        return str(self.objective)


def local_means(x: Tensor) -> Tensor:
    """Return the means of tiles of (N, C, H, W), smaller ones at the right and the bottom."""
    return F.avg_pool2d(x, TILE, ceil_mode=True, count_include_pad=False)
