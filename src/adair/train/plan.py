"""What a run does (`Plan`) and how it stands (`Report`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch

from adair.degradations import Recipe
from adair.errors import AdairError
from adair.train.checkpoint import Saving
from adair.train.lessons import Lesson
from adair.train.schedule import Schedule


@dataclass(frozen=True)
class Plan:
    """What a run does. Checked once, here; the loop trusts it.

    Attributes:
        recipe: the degradation to learn to undo, or another lesson.
        schedule: learning rate over the run.
        steps: length of the run in optimiser steps.
        batch: patches a step, over all processes.
        patches: progressive patch sizes: (progress from which it holds, side in pixels), first from 0.
        optimiser: "muon" (for matrices; AdamW for the rest) or "adamw".
        weight_decay: share of a weight that a step at learning rate 1 would take away.
        clip: largest norm of the gradient.
        average: decay of the exponential moving average of the weights, a step.
        precision: precision of the forward pass (weights and optimiser stay in float32).
        seed: every patch and degradation of the run follows from it.
        max_minutes: stop cleanly at a checkpoint after so many minutes of this call.
        by_time: let the learning rate end with ``max_minutes`` instead of with ``steps``.
        saving: how often and in which form checkpoints are written.
        validate_steps: steps between validations.
        texture: share of the patches that are the most textured of a few.
        shrink: large photos are also seen up to so many times smaller; 1 takes all pixels as they are.
        compile: compile the network (`torch.compile`).
        patience: validations in a row that may lie clearly below the best before the run stops; the best averaged
            weights are then the result. 0: the last ones are, and only the schedule ends the run.
    """

    recipe: Recipe | Lesson
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
        if self.by_time and self.max_minutes is None:
            raise AdairError("a schedule by time needs --max-minutes to end at")
        if not 0 <= self.seed < 2**63:
            raise AdairError(f"seed {self.seed} is outside 0..2^63; give a smaller whole number")
        if self.max_minutes is not None and not self.max_minutes > 0:  # NaN, too
            raise AdairError(f"max-minutes {self.max_minutes} must be more than 0")
        if not self.patches or self.patches[0][0] != 0 or any(side < 16 for _, side in self.patches):
            raise AdairError("patch sizes need a first one from the start, and at least 16 pixels a side")
        if not 0 <= self.texture <= 1:
            raise AdairError(f"texture {self.texture} is outside 0..1; it is a share of the patches")
        if self.shrink < 1:
            raise AdairError(f"shrink {self.shrink} must be at least 1, which takes all pixels as they are")
        if not 0 <= self.average < 1:
            raise AdairError(f"average {self.average} is outside 0..1; 0 keeps the last weights")
        if self.precision == torch.float16:
            raise AdairError("precision fp16: its gradients vanish in training; use bf16 or fp32")

    def patch(self, progress: float) -> int:
        """Return the side of a patch at ``progress`` (0..1)."""
        return [side for start, side in self.patches if progress >= start][-1]


@dataclass
class Report:
    """How a run stands, counted over all its calls.

    Attributes:
        step: optimiser steps done.
        seconds: time spent.
        progress: 0 at the start of the schedule, 1 at its end.
        rate: learning rate of the last step.
        loss: mean over the last steps.
        psnr: of each exam, restored, in dB; from the last validation.
        input_psnr: of each exam, before restoring.
        finished: whether the schedule has come to its end.
        origin: the step at which the schedule began.
        slowdown: what divergence has left of the learning rate: 1, 1/2, 1/4, ...
        history: step and mean PSNR of every validation, if the best weights are kept.
        best: PSNR of each exam with the best averaged weights.
        best_step: the step that they are from.
        beside: mean PSNR of what the result is compared with ("foundation", and bundled adapters by task).
        warnings: what a person should know about the run, a line each.
    """

    step: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    rate: float = 0.0
    loss: float = math.nan
    psnr: dict[str, float] = field(default_factory=dict)
    input_psnr: dict[str, float] = field(default_factory=dict)
    finished: bool = False
    origin: int = 0
    slowdown: float = 1.0
    history: list[list[float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    best_step: int = 0
    beside: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
