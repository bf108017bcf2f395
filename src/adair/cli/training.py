"""Output of the two training commands: the decoding of photos, a progress bar, a line for each validation, the end."""

from __future__ import annotations

import sys
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adair.train.run import Result
from adair.train.settings import RunSettings
from adair.train.state import Callback, TrainState


class Terminal(Callback):
    """Shows a run on standard error: a bar in a terminal, otherwise a line for each validation."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._decoding: TaskID | None = None
        self._training: TaskID | None = None
        self._validate_steps, self._printed = 0, 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def on_decode(self, done: int, total: int) -> None:
        """Show how many photos have been decoded."""
        if self._decoding is None:
            self._decoding = self._bar.add_task("decoding photos")
        self._bar.update(self._decoding, completed=done, total=total, description=f"decoding photos {done}/{total}")

    def on_start(self, settings: RunSettings) -> None:
        """Show the bar of the run."""
        self._validate_steps = settings.validate_steps
        self._training = self._bar.add_task("starting", total=1.0)

    def on_step(self, state: TrainState) -> None:
        """Advance the bar; print a line after a validation."""
        speed = state.step / max(state.seconds, 1e-9)
        line = f"step {state.step}  {speed:.2f} it/s  loss {state.loss:.4f}  rate {state.rate:.1e}"
        if self._training is not None:
            self._bar.update(self._training, completed=state.progress, description=line)
        if state.psnr and state.step % self._validate_steps == 0 and state.step != self._printed:
            self._printed = state.step
            self.on_message(f"{line}  {state.seconds / 60:.1f} min  PSNR: {_results(state)}")

    def on_message(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr, flush=True)


def end(result: Result, where: str = "") -> None:
    """Print how to continue a run that stopped before its end; after a signal, exit with 130.

    Args:
        result: the result of the run, in the process that prints.
        where: added to the line, such as the place of the checkpoint.
    """
    if result.state.finished:
        return
    print(f"stopped early; continue with --resume and the same options{where}")
    # A launcher of several processes takes anything but 0 for a crash, and may start them again.
    if result.state.interrupted and result.processes == 1:
        raise typer.Exit(130)


def _results(state: TrainState) -> str:
    return "  ".join(f"{name} {value:.2f} (input {state.input_psnr[name]:.2f})" for name, value in state.psnr.items())
