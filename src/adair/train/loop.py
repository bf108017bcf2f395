"""The training loop, one for foundations and adapters: clean patches, a recipe to undo, L1, AdamW, averaged weights."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from adair.degradations import Recipe
from adair.errors import AdairError
from adair.metrics import psnr
from adair.train.batches import Batches
from adair.train.checkpoint import load_checkpoint, save_checkpoint
from adair.train.photos import PhotoStore
from adair.train.schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """What a run does. Checked once, here; the loop trusts it.

    Attributes:
        recipe: the degradation to learn to undo.
        schedule: learning rate over the run.
        steps: length of the run in optimiser steps.
        batch: patches a step.
        patches: progressive patch sizes: (progress from which it holds, side in pixels), first from 0.
        weight_decay: AdamW's.
        clip: largest norm of the gradient.
        average: decay of the exponential moving average of the weights, a step.
        precision: precision of the forward pass (weights and optimiser stay in float32).
        seed: every patch and degradation of the run follows from it.
        max_minutes: stop cleanly at a checkpoint after so many minutes of this call.
        by_time: let the learning rate end with ``max_minutes`` instead of with ``steps``.
        save_minutes: time between checkpoints.
        validate_steps: steps between validations.
    """

    recipe: Recipe
    schedule: Schedule
    steps: int
    batch: int = 16
    patches: tuple[tuple[float, int], ...] = ((0.0, 64),)
    weight_decay: float = 0.0
    clip: float = 1.0
    average: float = 0.999
    precision: torch.dtype = torch.float32
    seed: int = 0
    max_minutes: float | None = None
    by_time: bool = False
    save_minutes: float = 5.0
    validate_steps: int = 500

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "validate_steps"):
            if getattr(self, name) < 1:
                raise AdairError(f"{name} {getattr(self, name)} must be at least 1")
        if self.by_time and self.max_minutes is None:
            raise AdairError("a schedule by time needs --max-minutes to end at")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise AdairError(f"max-minutes {self.max_minutes} must be more than 0")
        if not self.patches or self.patches[0][0] != 0 or any(side < 16 for _, side in self.patches):
            raise AdairError("patch sizes need a first one from the start, and at least 16 pixels a side")
        if not 0 <= self.average < 1:
            raise AdairError(f"average {self.average} is outside 0..1; 0 keeps the last weights")

    def patch(self, progress: float) -> int:
        """Return the side of a patch at ``progress`` (0..1)."""
        return [side for start, side in self.patches if progress >= start][-1]


@dataclass
class Report:
    """How a run stands: counted over all its calls, and reported after each validation."""

    step: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    rate: float = 0.0
    loss: float = math.nan
    psnr: dict[str, float] = field(default_factory=dict)
    input_psnr: dict[str, float] = field(default_factory=dict)
    finished: bool = False


class Trainer:
    """Trains some parameters of a model, and keeps a moving average of them, which is the result.

    Args:
        forward: maps degraded patches (N, 3, H, W) to restored ones.
        parameters: what is trained, by name; all on one device, in float32.
        plan: what to do.
        photos: clean photos to train on.
        exam: named validation sets, each (clean, degraded) on the parameters' device.
        checkpoint: file to save to and resume from.
        facts: what a checkpoint must agree on to be resumed (backbone, adapter kind, foundation).
        watch: called with the report after every step; it may draw a progress bar.
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        parameters: Mapping[str, nn.Parameter],
        plan: Plan,
        photos: PhotoStore,
        exam: Mapping[str, tuple[Tensor, Tensor]],
        checkpoint: Path,
        facts: Mapping[str, Any],
        watch: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self.forward, self.plan, self.exam = forward, plan, exam
        self.parameters = dict(parameters)
        self.checkpoint, self.watch = checkpoint, watch
        self.facts = json.loads(json.dumps(facts))  # as a checkpoint gives them back: lists, not tuples
        self.device = next(iter(self.parameters.values())).device
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}
        self.batches = Batches(photos, plan.recipe, plan.batch, plan.seed, self.device)
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(),
            lr=plan.schedule.peak,
            betas=(0.9, 0.95),
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self.report = Report()

    def resume(self) -> None:
        """Go on from the checkpoint.

        Raises:
            AdairError: if there is none, or it belongs to another model.
        """
        tensors, facts = load_checkpoint(self.checkpoint, self.device)
        for key, value in self.facts.items():
            if facts.get(key) != value:
                raise AdairError(f"{self.checkpoint}: was trained with {key} {facts.get(key)}, not {value}")
        report = self.report
        report.step, report.seconds, report.progress = facts["step"], facts["seconds"], facts["progress"]
        report.loss, report.psnr, report.input_psnr = facts["loss"], facts["psnr"], facts["input_psnr"]
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[f"weights.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
                self.optimiser.state[parameter] = {
                    "step": torch.tensor(float(facts["step"]), device=self.device if parameter.is_cuda else None),
                    # In the parameter's memory layout, which the fused optimiser takes for granted.
                    "exp_avg": torch.empty_like(parameter).copy_(tensors[f"first_moment.{name}"]),
                    "exp_avg_sq": torch.empty_like(parameter).copy_(tensors[f"second_moment.{name}"]),
                }

    def save(self) -> None:
        """Write the checkpoint."""
        tensors: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            state = self.optimiser.state[parameter]
            tensors[f"weights.{name}"] = parameter
            tensors[f"average.{name}"] = self.average[name]
            tensors[f"first_moment.{name}"] = state["exp_avg"]
            tensors[f"second_moment.{name}"] = state["exp_avg_sq"]
        report = vars(self.report)
        save_checkpoint(self.checkpoint, tensors, {**self.facts, **report, "recipe": str(self.plan.recipe)})

    def run(self) -> Report:
        """Train until the steps or the minutes are over, or a signal asks to stop; return the last report.

        Raises:
            AdairError: if the loss is no longer a number; the last checkpoint is then still there.
        """
        plan, report = self.plan, self.report
        report.finished = report.step >= plan.steps
        begun, before, start = time.monotonic(), report.seconds, report.progress
        saved, losses = begun, torch.zeros((), device=self.device)
        counted = 0
        with _stop_signals() as stopped:
            while not report.finished and not stopped:
                elapsed = time.monotonic() - begun
                if plan.by_time and plan.max_minutes:
                    report.progress = min(1.0, start + (1 - start) * elapsed / (60 * plan.max_minutes))
                else:
                    report.progress = report.step / plan.steps
                if plan.max_minutes and elapsed >= 60 * plan.max_minutes:
                    report.finished = plan.by_time
                    break
                losses += self._step()
                counted += 1
                report.seconds = before + time.monotonic() - begun
                report.finished = report.step >= plan.steps
                if report.step % 50 == 0 or report.finished:
                    report.loss = float(losses) / counted
                    losses.zero_()
                    counted = 0
                    if not math.isfinite(report.loss):
                        raise AdairError(
                            f"the loss is {report.loss} at step {report.step}; lower the learning rate "
                            f"{plan.schedule.peak} and go on with --resume from {self.checkpoint}"
                        )
                if report.step % plan.validate_steps == 0:
                    self.validate()
                if time.monotonic() - saved > 60 * plan.save_minutes:
                    self.save()
                    saved = time.monotonic()
                self.watch(report)
        if self.optimiser.state:
            self.validate()
            self.save()
        return report

    def _step(self) -> Tensor:
        """Take one optimiser step; return its loss without waiting for it."""
        plan, report = self.plan, self.report
        clean, degraded = self.batches.make(report.step, plan.patch(report.progress))
        report.rate = plan.schedule.rate(report.step, report.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = report.rate
        with torch.autocast(self.device.type, plan.precision, enabled=plan.precision != torch.float32):
            restored = self.forward(degraded)
        loss = (restored.float() - clean).abs().mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters.values(), plan.clip)
        self.optimiser.step()
        report.step += 1
        # Early on the average follows closely, so that it does not drag the random start along.
        decay = min(plan.average, (1 + report.step) / (10 + report.step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)
        return loss.detach()

    @torch.no_grad()
    def validate(self) -> None:
        """Measure PSNR of the averaged weights on the exam (8-bit output, RGB) and put it into the report."""
        with self.averaged():
            for name, (clean, degraded) in self.exam.items():
                self.report.input_psnr[name] = float(psnr(degraded.clamp(0, 1), clean).mean())
                pieces = []
                for piece in degraded.split(4):
                    with torch.autocast(
                        self.device.type, self.plan.precision, enabled=self.plan.precision != torch.float32
                    ):
                        pieces.append(self.forward(piece).float())
                restored = torch.cat(pieces).clamp(0, 1).mul(255).round().div(255)
                self.report.psnr[name] = float(psnr(restored, clean).mean())

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while."""
        kept = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.average[name])
            try:
                yield
            finally:
                for name, parameter in self.parameters.items():
                    parameter.copy_(kept[name])


def channels_last(model: nn.Module) -> nn.Module:
    """Return ``model`` with a pixel's channels side by side in memory, as the convolution libraries like it."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into a note, so that the step under way ends and a checkpoint is written."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    try:
        kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: signals are its business
        kept = {}
    try:
        yield received
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
