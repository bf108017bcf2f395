"""The state of a run (`TrainState`), and callbacks that follow it, such as TensorBoard."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from adair.errors import AdairError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from adair.train.settings import RunSettings


@dataclass(frozen=True)
class TrainState:
    """The state of a run, over all its calls. Every step creates a new one.

    Attributes:
        step: optimiser steps done.
        seconds: time spent.
        progress: 0 at the start of the schedule, 1 at its end.
        rate: learning rate of the last step.
        loss: mean loss over the last steps.
        psnr: PSNR of each validation set after restoring, in dB, from the last validation.
        input_psnr: PSNR of each validation set before restoring.
        finished: whether the schedule has ended.
        origin: the step at which the schedule began.
        origin_seconds: the ``seconds`` at which the schedule began.
        slowdown: factor of the learning rate after divergence: 1, 1/2, 1/4, ...
        history: step and mean PSNR of every validation, if the best weights are kept.
        best: PSNR of each validation set with the best averaged weights.
        best_step: the step of these weights.
        baselines: mean PSNR of what the result is compared with ("foundation", and bundled adapters by task).
        warnings: what a user should know about the run, one line each.
        interrupted: whether a signal ended the last call before the schedule did.
        result_step: the step of the weights that were written as the result: the best ones, or the last ones; 0 before.
    """

    step: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    rate: float = 0.0
    loss: float = math.nan
    psnr: Mapping[str, float] = field(default_factory=dict)
    input_psnr: Mapping[str, float] = field(default_factory=dict)
    finished: bool = False
    origin: int = 0
    origin_seconds: float = 0.0
    slowdown: float = 1.0
    history: tuple[tuple[int, float], ...] = ()
    best: Mapping[str, float] = field(default_factory=dict)
    best_step: int = 0
    baselines: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    interrupted: bool = False
    result_step: int = 0

    def to_facts(self) -> dict[str, Any]:
        """Return what a checkpoint stores, for `json`."""
        facts = dict(vars(self))
        facts["beside"] = facts.pop("baselines")  # its name in files since version 0.1
        for name in ("interrupted", "result_step"):  # of a call, not of the run
            del facts[name]
        return facts

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Undo `to_facts`; values that checkpoints of earlier versions lack get their defaults."""
        known = {part.name for part in dataclasses.fields(cls)} - {"baselines"}
        values = {key: value for key, value in facts.items() if key in known}
        if (
            facts.get("origin") and "origin_seconds" not in facts
        ):  # of an earlier version: as if all steps took the same
            values["origin_seconds"] = facts.get("seconds", 0.0) * facts["origin"] / facts["step"]
        values["history"] = tuple((step, value) for step, value in facts.get("history", ()))
        return cls(**{**values, "warnings": tuple(facts.get("warnings", ()))}, baselines=facts.get("beside", {}))


class Callback:
    """Base class of callbacks; its methods do nothing. With several processes, only the first calls them."""

    def on_decode(self, done: int, total: int) -> None:
        """Called when this many of the photos are decoded."""

    def on_start(self, settings: RunSettings) -> None:
        """Called when the photos are open and training begins."""

    def on_step(self, state: TrainState) -> None:
        """Called after a step."""

    def on_message(self, line: str) -> None:
        """Called when something happened that a user should know."""

    def on_end(self) -> None:
        """Called when the run has ended or failed."""


class CallbackList(Callback):
    """Several callbacks as one, called in order."""

    def __init__(self, callbacks: Iterable[Callback] = ()) -> None:
        self.callbacks = tuple(callbacks)

    def on_decode(self, done: int, total: int) -> None:
        """Call all."""
        for callback in self.callbacks:
            callback.on_decode(done, total)

    def on_start(self, settings: RunSettings) -> None:
        """Call all."""
        for callback in self.callbacks:
            callback.on_start(settings)

    def on_step(self, state: TrainState) -> None:
        """Call all."""
        for callback in self.callbacks:
            callback.on_step(state)

    def on_message(self, line: str) -> None:
        """Call all."""
        for callback in self.callbacks:
            callback.on_message(line)

    def on_end(self) -> None:
        """Call all."""
        for callback in self.callbacks:
            callback.on_end()


class TensorBoard(Callback):
    """Writes loss, learning rate and validation PSNR to a folder for TensorBoard when they change.

    Raises:
        AdairError: the package tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise AdairError("--tensorboard needs the package tensorboard: pip install 'adair[train]'") from None
        self._create, self._folder = SummaryWriter, folder
        self._writer: SummaryWriter | None = None
        self._last: dict[str, float] = {}

    def on_start(self, settings: RunSettings) -> None:
        """Open the log."""
        self._writer = self._create(str(self._folder))

    def on_step(self, state: TrainState) -> None:
        """Write what has changed."""
        if self._writer is None:
            return
        values = {"loss": state.loss} | {f"psnr/{name}": value for name, value in state.psnr.items()}
        changed = {name: value for name, value in values.items() if self._last.get(name) != value and value == value}
        if "loss" in changed:
            changed["rate"] = state.rate
        for name, value in changed.items():
            self._writer.add_scalar(name, value, state.step)
        self._last |= changed

    def on_end(self) -> None:
        """Close the log."""
        if self._writer is not None:
            self._writer.close()
