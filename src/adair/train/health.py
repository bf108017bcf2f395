"""The health of a run: is the loss still a number, and near where it was? Judged without waiting for every step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW = 50  # steps between looks
SETTLE = 4  # windows at the start that set the level and are not judged by it
ELEVATED, LOSS_LIMIT, NORM_LIMIT = 1.5, 4.0, 100.0  # times the level; clipping absorbs a good deal of the norm


class Health:
    """Sums the loss and the gradient's norm on the device, and compares their means with their running level.

    The first steps set the level. Sums of 50 steps are judged, so that a hard batch is no alarm; NaN and infinity show
    in any sum.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums, self._count = torch.zeros(2, device=device), 0
        self._level: tuple[float, float] | None = None
        self._windows = 0
        self.loss = math.nan
        self.good = False

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Note a step; nothing waits for the device."""
        self._sums += torch.stack((loss, norm))
        self._count += 1

    def look(self) -> str | None:
        """Wait for the device; return what is wrong, or None. Sets ``loss``, the mean since the last whole window.

        ``good`` says that a whole window has been judged and that its loss is not even a little above the level.
        """
        self.good = False
        if not self._count:
            return None
        self.loss, norm = (self._sums / self._count).tolist()
        if not math.isfinite(self.loss):
            return f"the loss is {self.loss}"
        if not math.isfinite(norm):
            return f"the gradient's norm is {norm}"
        if self._count < WINDOW:
            return None
        level_loss, level_norm = self._level or (self.loss, norm)
        if self._windows >= SETTLE:
            if self.loss > LOSS_LIMIT * level_loss:
                return f"the loss has grown from {level_loss:.2g} to {self.loss:.2g}"
            if norm > NORM_LIMIT * level_norm:
                return f"the gradient's norm has grown from {level_norm:.2g} to {norm:.2g}"
        self.good = self.loss <= ELEVATED * level_loss
        self._level = (0.8 * level_loss + 0.2 * self.loss, 0.8 * level_norm + 0.2 * norm)
        self._windows += 1
        self.forget()
        return None

    def forget(self) -> None:
        """Begin a new window; the level stays."""
        self._sums.zero_()
        self._count = 0
