"""Learning rate over a run: warm up, hold, then fall along a half cosine to zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adair.errors import AdairError

SHORT = 0.1  # part of a run that the rise may take


@dataclass(frozen=True)
class Schedule:
    """How the learning rate moves with the progress of a run (0 at its start, 1 at its end).

    Attributes:
        peak: highest learning rate.
        warmup: steps over which it rises linearly from zero; a run of few steps rises within its first tenth.
        hold: part of the run, 0..1, after which it starts to fall; 0 is a plain cosine, 1 never falls.
    """

    peak: float
    warmup: int = 100
    hold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.peak <= 1:
            raise AdairError(f"learning rate {self.peak} is outside 0..1")
        if not 0 <= self.hold <= 1:
            raise AdairError(f"hold {self.hold} is outside 0..1; it is the part of the run before the rate falls")

    def rate(self, step: int, progress: float) -> float:
        """Return the learning rate of ``step`` (counted from 0) at ``progress`` (0..1)."""
        rise = min(1.0, max((step + 1) / max(1, self.warmup), progress / SHORT))
        fall = 0.0 if self.hold == 1 else min(1.0, max(0.0, (progress - self.hold) / (1 - self.hold)))
        return self.peak * rise * (0.5 + 0.5 * math.cos(math.pi * fall))
