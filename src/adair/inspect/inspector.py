"""From patches to a verdict on an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from adair.inspect.estimator import PATCH, Estimator, load_estimator
from adair.inspect.kinds import KINDS, Kind
from adair.inspect.patches import choose_patches
from adair.weights import fingerprint


@dataclass(frozen=True)
class Finding:
    """What is believed of one kind of damage: the probability that it is there, and its level if it is."""

    kind: Kind
    probability: float
    level: float

    @property
    def severity(self) -> float:
        """The level as 0 (none) to 1 (as bad as the estimator was trained on)."""
        return self.kind.severity(self.level)

    @property
    def amount(self) -> str:
        """The level with as many decimals as mean something."""
        return f"{self.level:.{self.kind.digits}f}"

    def __str__(self) -> str:
        return f"{self.kind.name} {self.amount}, {self.probability:.0%}"


class Inspector:
    """Looks at images with an estimator (None: the bundled one)."""

    def __init__(self, estimator: Estimator | None = None) -> None:
        self.estimator = load_estimator() if estimator is None else estimator

    @property
    def fingerprint(self) -> str:
        """What tells this estimator's weights from others."""
        return fingerprint(self.estimator.state_dict())

    @torch.inference_mode()
    def inspect(self, pixels: npt.NDArray[Any]) -> tuple[Finding, ...]:
        """Judge an image by up to 24 patches of it.

        Args:
            pixels: (H, W, 1 or 3), uint8, uint16 or float (0..1, beyond it for noise that nobody clipped).

        Returns:
            A finding for each of `KINDS`, the most probable first.
        """
        odds, severity = self.estimator(choose_patches(pixels, PATCH).unsqueeze(0))
        chances, levels = odds[0].sigmoid().tolist(), severity[0].clamp(0, 1).tolist()
        found = [Finding(k, p, k.level(s)) for k, p, s in zip(KINDS, chances, levels, strict=True)]
        return tuple(sorted(found, key=lambda finding: -finding.probability))
