"""Lessons: what patches of the photos teach, as pairs of an input and the target that it should become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from adair.degradations import Recipe

Batch = tuple[Tensor, Tensor]


class Lesson(Protocol):
    """What a run learns. ``str`` describes it on the card of the result."""

    def reach(self, side: int) -> int:
        """Return how many pixels of a photo, along a side, a patch of ``side`` pixels is made from."""

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Make (target, input), each (N, 3, side, side), from patches (N, C, reach(side), reach(side))."""

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of what the network made of the inputs."""


@dataclass(frozen=True)
class Undo:
    """Undo a recipe: patches of clean photos are targets, their degraded copies inputs; L1."""

    recipe: Recipe

    def reach(self, side: int) -> int:
        """Return ``side``: pixels are taken as they are."""
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
class Given:
    """Learn from given pairs: photos of six channels, three of the clean picture and three of the degraded; L1."""

    def reach(self, side: int) -> int:
        """Return ``side``: pixels are taken as they are."""
        return side

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Part patches (N, 6, side, side)."""
        clean, degraded = patches.split(3, dim=1)
        return clean, degraded.contiguous(memory_format=torch.channels_last)

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference."""
        return (restored - target).abs().mean()

    def __str__(self) -> str:
        return "given pairs"


def lesson_of(given: Recipe | Lesson) -> Lesson:
    """Return the lesson that a recipe stands for, or the lesson itself."""
    return Undo(given) if isinstance(given, Recipe) else given
