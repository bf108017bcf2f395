"""The resolved settings of a run, `RunSettings`, and its learning rate, `Schedule`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from adair.errors import AdairError
from adair.hardware import choose_device, choose_precision
from adair.train.checkpoint import Saving
from adair.train.config import TrainConfig, parse_patches
from adair.train.objectives import Objective

T = TypeVar("T")
ENDLESS = 10**9  # steps of a run that ends by time
SHORT = 0.1  # largest fraction of a run for the warm-up


@dataclass(frozen=True)
class Schedule:
    """The learning rate as a function of the progress of a run (0 at its start, 1 at its end).

    Attributes:
        peak: highest learning rate.
        warmup: steps over which it rises linearly from zero; at most the first tenth of a run.
        hold: fraction of the run, 0..1, after which it starts to fall; 0 is a plain cosine, 1 never falls.
    """

    peak: float
    warmup: int = 100
    hold: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.peak <= 1:
            raise AdairError(f"learning rate {self.peak} is outside 0..1")
        if not 0 <= self.hold <= 1:
            raise AdairError(f"hold {self.hold} is outside 0..1; it is the fraction of the run before the rate falls")

    def rate(self, step: int, progress: float) -> float:
        """Return the learning rate of ``step`` (counted from 0) at ``progress`` (0..1)."""
        rise = min(1.0, max((step + 1) / max(1, self.warmup), progress / SHORT))
        fall = 0.0 if self.hold == 1 else min(1.0, max(0.0, (progress - self.hold) / (1 - self.hold)))
        return self.peak * rise * (0.5 + 0.5 * math.cos(math.pi * fall))


@dataclass(frozen=True)
class RunSettings:
    """A `TrainConfig` with all defaults filled in. It is checked once, here; the trainer relies on it.

    Attributes:
        objective: what is learnt.
        schedule: learning rate over the run.
        steps: length of the run in optimiser steps.
        batch: patches per step, over all processes.
        patches: progressive patch sizes: (progress from which it applies, side in pixels); the first applies from 0.
        optimiser: "muon" (for matrices; AdamW for the rest) or "adamw".
        weight_decay: fraction of a weight that a step with learning rate 1 would subtract.
        clip: largest norm of the gradient.
        average: decay of the exponential moving average of the weights, per step.
        precision: precision of the forward pass (weights and optimiser stay in float32).
        seed: determines every patch and degradation of the run.
        minutes: length of the schedule in minutes, over all calls, instead of ``steps``.
        max_minutes: stop at a checkpoint after this many minutes of this call.
        by_time: let the learning rate fall until ``minutes`` or ``max_minutes`` instead of ``steps``.
        saving: how often and in which form checkpoints are written.
        validate_steps: steps between validations.
        texture: fraction of the patches that are the most textured of a few.
        shrink: large photos are also used up to this many times smaller; 1 uses them only at full size.
        compile: compile the network (`torch.compile`).
        patience: validations in a row that may be clearly below the best before the run stops; the best averaged
            weights are then the result. With 0, the result is the last ones, and only the schedule ends the run.
    """

    objective: Objective
    schedule: Schedule
    steps: int
    batch: int = 16
    patches: tuple[tuple[float, int], ...] = ((0.0, 64),)
    optimiser: str = "muon"
    weight_decay: float = 0.0
    clip: float = 1.0
    average: float = 0.999
    precision: torch.dtype = torch.float32
    seed: int = 0
    minutes: float | None = None
    max_minutes: float | None = None
    by_time: bool = False
    saving: Saving = field(default_factory=Saving)
    validate_steps: int = 500
    texture: float = 0.0
    shrink: int = 3
    compile: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "validate_steps"):
            if getattr(self, name) < 1:
                raise AdairError(f"{name} {getattr(self, name)} must be at least 1")
        if self.patience < 0:
            raise AdairError(f"patience {self.patience} must not be negative; 0 switches early stopping off")
        if self.optimiser not in ("muon", "adamw"):
            raise AdairError(f"--optimiser {self.optimiser}: choose muon or adamw")
        if self.by_time and self.minutes is None and self.max_minutes is None:
            raise AdairError("a schedule by time needs --minutes or --max-minutes")
        if not 0 <= self.seed < 2**63:
            raise AdairError(f"seed {self.seed} is outside 0..2^63; use a smaller integer")
        for name in ("minutes", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:  # NaN, too
                raise AdairError(f"{name.replace('_', '-')} {value} must be positive")
        if not self.patches or self.patches[0][0] != 0 or any(side < 16 for _, side in self.patches):
            raise AdairError("the first patch size must apply from 0, and patches need at least 16 pixels per side")
        if not 0 <= self.texture <= 1:
            raise AdairError(f"texture {self.texture} is outside 0..1; it is a fraction of the patches")
        if self.shrink < 1:
            raise AdairError(f"shrink {self.shrink} must be at least 1, which uses photos only at full size")
        if not 0 <= self.average < 1:
            raise AdairError(f"average {self.average} is outside 0..1; 0 keeps the last weights")
        if self.precision == torch.float16:
            raise AdairError("precision fp16: its gradients vanish in training; use bf16 or fp32")

    def patch(self, progress: float) -> int:
        """Return the side of a patch at ``progress`` (0..1)."""
        return [side for start, side in self.patches if progress >= start][-1]


@dataclass(frozen=True)
class Defaults:
    """Values of settings that the configuration leaves open."""

    steps: int
    batch: int
    learning_rate: float
    patience: int
    validate_steps: int


FOR_FOUNDATION = Defaults(steps=100_000, batch=8, learning_rate=1e-3, patience=0, validate_steps=500)
FOR_ADAPTER = Defaults(steps=10_000, batch=4, learning_rate=2e-3, patience=5, validate_steps=100)


def resolve(config: TrainConfig, objective: Objective, default: Defaults) -> RunSettings:
    """Return the settings of the trainer for a configuration.

    Raises:
        AdairError: a setting is out of range, or the device does not exist.
    """
    schedule, optimiser, saving = config.schedule, config.optimiser, config.checkpoint
    steps = ENDLESS if schedule.minutes is not None else schedule.steps
    return RunSettings(
        objective=objective,
        schedule=Schedule(_or(schedule.learning_rate, default.learning_rate), hold=schedule.hold),
        steps=_or(steps, default.steps),
        batch=_or(optimiser.batch, default.batch),
        patches=parse_patches(optimiser.patch),
        optimiser=optimiser.name,
        weight_decay=optimiser.weight_decay,
        clip=optimiser.clip,
        average=1 - 1 / optimiser.average_steps,
        precision=_precision(config.precision, choose_device(config.device)),
        seed=config.seed,
        minutes=schedule.minutes,
        max_minutes=schedule.max_minutes,
        by_time=schedule.by == "time" or schedule.minutes is not None,
        saving=Saving(saving.minutes, saving.keep, saving.part_mb, saving.precision == "bf16"),
        validate_steps=_or(schedule.validate_steps, default.validate_steps),
        texture=config.data.texture,
        shrink=config.data.shrink,
        compile=config.compile,
        patience=_or(schedule.patience, default.patience),
    )


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _precision(name: str | None, device: torch.device) -> torch.dtype:
    """Return the precision of training: fp32 if restoring would choose fp16, which needs loss scaling."""
    chosen = choose_precision(name, device).dtype
    return torch.float32 if name in (None, "auto") and chosen == torch.float16 else chosen
