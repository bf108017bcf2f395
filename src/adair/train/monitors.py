"""Monitoring a run: `LossMonitor` detects divergence, `EarlyStopping` keeps the best weights and ends the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile

import torch
from torch import Tensor

from adair.train.state import TrainState
from adair.train.validation import mean_psnr

WINDOW = 50  # steps between checks
SETTLE = 4  # windows at the start that set the level and are not checked against it
ELEVATED, LOSS_LIMIT, NORM_LIMIT = 1.5, 4.0, 100.0  # times the level; clipping absorbs much of the norm
WORSE = 0.1  # dB below the best that count as worse; smaller differences are chance


class LossMonitor:
    """Sums the loss and the gradient's norm on the device, and compares their means with their running level.

    The first steps set the level. Sums over 50 steps are compared, so that a difficult batch raises no alarm; NaN and
    infinity show in any sum.
    """

    def __init__(self, device: torch.device) -> None:
        self._sums, self._count = torch.zeros(2, device=device), 0
        self._level: tuple[float, float] | None = None
        self._windows = 0
        self.loss = math.nan
        self.healthy = False

    def record(self, loss: Tensor, norm: Tensor) -> None:
        """Add a step; nothing waits for the device."""
        self._sums += torch.stack((loss, norm))
        self._count += 1

    def check(self) -> str | None:
        """Wait for the device; return what is wrong, or None. Sets ``loss``, the mean since the last complete window.

        ``healthy`` means that a complete window was compared, and that its loss is not even slightly above the level.
        """
        self.healthy = False
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
        self.healthy = self.loss <= ELEVATED * level_loss
        self._level = (0.8 * level_loss + 0.2 * self.loss, 0.8 * level_norm + 0.2 * norm)
        self._windows += 1
        self.reset()
        return None

    def reset(self) -> None:
        """Begin a new window and keep the level."""
        self._sums.zero_()
        self._count = 0


class EarlyStopping:
    """Keeps the averaged weights of the best validation, and ends a run that only gets worse.

    A run stops when ``patience`` validations in a row are clearly below the best one. (Those that merely fail to beat
    it do not count: most of the gain comes at the end, when the learning rate falls.)

    Args:
        average: the averaged weights by name, which change during training.
        patience: number of validations; 0 switches this off, and the last weights are the result.
    """

    def __init__(self, average: Mapping[str, Tensor], patience: int) -> None:
        self.patience = patience
        self.weights: dict[str, Tensor] = {}
        self._average = average
        self._worse = 0

    def update(self, state: TrainState) -> TrainState:
        """Take the last validation into account; return the state with the history and the best."""
        if not self.patience or not state.psnr:
            return state
        value = mean_psnr(state.psnr)
        history = (*(entry for entry in state.history if entry[0] != state.step), (state.step, value))
        best, best_step = state.best, state.best_step
        if not self.weights or value > mean_psnr(best):
            self.weights = {name: tensor.detach().clone() for name, tensor in self._average.items()}
            best, best_step = state.psnr, state.step
        self._worse = self._worse + 1 if value < mean_psnr(best) - WORSE else 0
        return replace(state, history=history, best=best, best_step=best_step)

    @property
    def over(self) -> bool:
        """Whether the run has been getting worse for too long."""
        return 0 < self.patience <= self._worse

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint stores of this."""
        return {f"best.{name}": tensor for name, tensor in self.weights.items()}

    def load(self, tensors: Mapping[str, Tensor], state: TrainState) -> None:
        """Load what a checkpoint stored, if anything; ``state`` has the validations so far."""
        found = {name: tensors[f"best.{name}"] for name in self._average if f"best.{name}" in tensors}
        self.weights = found if self.patience and len(found) == len(self._average) else {}
        worse = takewhile(lambda entry: entry[1] < mean_psnr(state.best) - WORSE, reversed(state.history))
        self._worse = len(list(worse)) if self.weights else 0
