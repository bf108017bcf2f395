"""Few pairs instead of many photos: what someone has who photographs a degradation of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from adair.bench.datasets import Sample
from adair.errors import AdairError
from adair.metrics import quantise
from adair.studies.tasks import Drawn
from adair.studies.training import Course
from adair.studies.workspace import Workspace
from adair.train.objectives import GivenPairs, Objective
from adair.train.photos import PhotoStore


@dataclass(frozen=True)
class FewPairs(Course):
    """A course whose one recipe was applied once to each of a few photos, and never again.

    Patches are cut, turned and flipped from these pairs alone. The photos of few pairs are among those of more.

    Attributes:
        pairs: how many there are.
        side: of a pair in pixels: the centre of its photo.
    """

    pairs: int = 1
    side: int = 192

    @property
    def extent(self) -> str:
        """How much it teaches, in words."""
        return f"{several(self.pairs)}, {self.steps} steps"

    def world(self, workspace: Workspace) -> list[str]:
        """As of any course.

        Raises:
            AdairError: fewer training photos than pairs.
        """
        if len(workspace.photos) < self.pairs:
            count = len(workspace.photos)
            raise AdairError(
                f"{workspace.place.photos}: {count} photos to train on, {self.pairs} pairs are wanted; add photos"
            )
        return super().world(workspace)

    def photos(self, workspace: Workspace) -> PhotoStore:
        """The pairs: the clean picture's channels, then the degraded one's, in 8 bits."""
        order = torch.randperm(len(workspace.photos), generator=torch.Generator().manual_seed(self.seed))
        photos = workspace.photos.subset(order[: self.pairs].tolist())
        degraded = Drawn(self.recipes[0])
        pairs = []
        for name, clean in zip(photos.names, photos.centres(self.side).split(1), strict=True):
            _, given = degraded.make(clean, Sample(Path(name)))
            pixels = torch.cat([clean, quantise(given)], dim=1).mul(255).round().byte()
            pairs.append(pixels[0].permute(1, 2, 0).numpy())
        size = self.side * self.side * 6
        return PhotoStore(
            np.concatenate([pair.reshape(-1) for pair in pairs]),
            photos.names,
            ((self.side, self.side),) * self.pairs,
            tuple(range(0, size * self.pairs, size)),
            channels=6,
        )

    @property
    def objective(self) -> Objective:
        """The pairs as they are."""
        return GivenPairs()


def several(pairs: int) -> str:
    """So many pairs, in words."""
    return "1 pair" if pairs == 1 else f"{pairs} pairs"
