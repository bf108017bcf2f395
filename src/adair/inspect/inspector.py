"""From the patches of an image to findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from adair.inspect.estimator import PATCH, Estimator, load_estimator
from adair.inspect.patches import choose_patches
from adair.tasks import DAMAGES, UNDOES, Damage
from adair.weights import fingerprint


@dataclass(frozen=True)
class Finding:
    """What the estimator says about one kind of damage: the probability that it is present, and its level if it is."""

    damage: Damage
    probability: float
    level: float

    @property
    def severity(self) -> float:
        """The level as a number from 0 (none) to 1 (as bad as in training)."""
        return self.damage.severity(self.level)

    @property
    def task(self) -> str:
        """The task that undoes the damage."""
        return UNDOES[self.damage]

    @property
    def amount(self) -> str:
        """The level with its significant decimals."""
        return f"{self.level:.{self.damage.digits}f}"

    def __str__(self) -> str:
        return f"{self.damage.name} {self.amount}, {self.probability:.0%}"


class Inspector:
    """Inspects images with an estimator (None: the bundled one)."""

    def __init__(self, estimator: Estimator | None = None) -> None:
        self.estimator = load_estimator() if estimator is None else estimator

    @property
    def fingerprint(self) -> str:
        """A hash of the estimator's weights."""
        return fingerprint(self.estimator.state_dict())

    @torch.inference_mode()
    def inspect(self, pixels: npt.NDArray[Any]) -> tuple[Finding, ...]:
        """Judge an image by up to 24 of its patches.

        Args:
            pixels: (H, W, 1 or 3), uint8, uint16 or float (0..1, beyond it for unclipped noise).

        Returns:
            A finding for each of `DAMAGES`, the most probable first.
        """
        odds, severity = self.estimator(choose_patches(pixels, PATCH).unsqueeze(0))
        chances, levels = odds[0].sigmoid().tolist(), severity[0].clamp(0, 1).tolist()
        found = [Finding(d, p, d.level(s)) for d, p, s in zip(DAMAGES, chances, levels, strict=True)]
        return tuple(sorted(found, key=lambda finding: -finding.probability))
