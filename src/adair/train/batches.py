"""Batches: what a step of training learns from, made from the photos, the recipe and the number of the step."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.degradations import Recipe
from adair.train.photos import PhotoStore


class Batches:
    """Makes the batch of any step; the same step gives the same batch, in every run and on any number of processes.

    Args:
        photos: clean photos to cut patches from.
        recipe: the degradation to learn to undo.
        count: patches in a batch, over all processes.
        seed: every patch and degradation follows from it and from the step.
        device: where batches are wanted.
        share: (this process, processes): which part of every batch is made here.
    """

    def __init__(
        self,
        photos: PhotoStore,
        recipe: Recipe,
        count: int,
        seed: int,
        device: torch.device,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.photos, self.recipe, self.count, self.seed, self.device = photos, recipe, count, seed, device
        process, processes = share
        self.part = slice(count * process // processes, count * (process + 1) // processes)

    def make(self, step: int, side: int) -> tuple[Tensor, Tensor]:
        """Return this process's (clean, degraded) patches of ``step``, each (patches, 3, side, side) in 0..1."""
        # One generator a step, seeded by the step: a resumed run sees the same data, and data can be made ahead.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        clean = self.photos.patches(self.count, side, generator).to(self.device)
        degraded = self.recipe.apply(clean, generator)
        return clean[self.part], degraded[self.part]
