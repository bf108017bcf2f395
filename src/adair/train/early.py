"""Early stopping: the averaged weights of the best validation are kept, and a run that only gets worse ends."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from adair.train.plan import Report

WORSE = 0.1  # dB below the best that count as worse; less is chance


class Best:
    """The averaged weights that did best on the exam.

    A run stops when ``patience`` validations in a row lie clearly below the best one. (Those that merely do not beat it
    do not count: most is gained at the end, when the learning rate falls.)

    Args:
        average: the averaged weights by name; they change as training goes on.
        patience: validations; 0 switches all of this off, the last weights are then the result.
    """

    def __init__(self, average: Mapping[str, Tensor], patience: int) -> None:
        self.patience = patience
        self.weights: dict[str, Tensor] = {}
        self._average = average
        self._worse = 0

    def note(self, report: Report) -> None:
        """Take the last validation into account."""
        if not self.patience or not report.psnr:
            return
        value = mean(report.psnr)
        report.history = [entry for entry in report.history if entry[0] != report.step] + [[report.step, value]]
        if not self.weights or value > mean(report.best):
            self.weights = {name: tensor.detach().clone() for name, tensor in self._average.items()}
            report.best, report.best_step = dict(report.psnr), report.step
        self._worse = self._worse + 1 if value < mean(report.best) - WORSE else 0

    @property
    def over(self) -> bool:
        """Whether the run has been getting worse for too long."""
        return 0 < self.patience <= self._worse

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds of this."""
        return {f"best.{name}": tensor for name, tensor in self.weights.items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what a checkpoint held, if it held any."""
        found = {name: tensors[f"best.{name}"] for name in self._average if f"best.{name}" in tensors}
        self.weights = found if self.patience and len(found) == len(self._average) else {}
        self._worse = 0


def mean(psnr: Mapping[str, float]) -> float:
    """Mean over the exams, in dB."""
    return float(torch.tensor(list(psnr.values()), dtype=torch.float64).mean()) if psnr else float("-inf")
