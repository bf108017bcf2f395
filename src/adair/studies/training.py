"""Training of the studies' networks: with `adair.train`, for a fixed number of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from adair.bench.datasets import Sample
from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.metrics import quantise
from adair.studies.tasks import Drawn
from adair.studies.workspace import Workspace, resolved
from adair.train.checkpoint import Saving
from adair.train.objectives import Batch, GivenPairs, Objective, SyntheticPairs
from adair.train.photos import PhotoStore
from adair.train.settings import RunSettings, Schedule
from adair.train.state import Callback, TrainState
from adair.train.trainer import Trainer

CHECKPOINT_MINUTES = 0.5
PROGRESS_SECONDS = 60.0


@dataclass(frozen=True)
class Course:
    """What a network learns, and for how long.

    Attributes:
        recipes: the degradations to undo; each batch is divided among them in equal parts, in this order.
        steps: optimiser steps.
        batch: patches per step; a multiple of the number of recipes.
        patch: side of a patch in pixels.
        rate: highest learning rate.
        hold: fraction of the steps before it falls along a half cosine.
        seed: seed of the initial weights, the patches and the degradations.
    """

    recipes: tuple[str, ...]
    steps: int
    batch: int
    patch: int
    rate: float = 2e-3
    hold: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.recipes or self.batch % len(self.recipes):
            raise AdairError(f"a batch of {self.batch} cannot be divided evenly among {len(self.recipes)} recipes")

    @property
    def extent(self) -> str:
        """Its length as text."""
        return f"{self.steps} steps"

    def context(self, workspace: Workspace) -> list[str]:
        """Return what else determines the result (see `Job.context`): photos, and all settings with their defaults."""
        return [*workspace.training_mark, resolved(settings(self, workspace.precision))]

    def photos(self, workspace: Workspace) -> PhotoStore:
        """Return the photos that patches are cut from: the workspace's training photos."""
        return workspace.photos

    @property
    def objective(self) -> Objective:
        """Return the recipes as an objective."""
        objectives = tuple(SyntheticPairs(parse_recipe(recipe)) for recipe in self.recipes)
        return objectives[0] if len(objectives) == 1 else Shares(objectives)


@dataclass(frozen=True)
class Shares:
    """Several objectives at once: every batch is divided among them in equal parts, in order."""

    objectives: tuple[SyntheticPairs, ...]
    shrinks = True

    def source_side(self, side: int) -> int:
        """Return ``side``: pixels are used as they are."""
        return side

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Degrade patches (N, 3, side, side), each part with its recipe."""
        parts = zip(self.objectives, patches.chunk(len(self.objectives)), strict=True)
        return patches, torch.cat([objective.recipe.apply(part, generator) for objective, part in parts])

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference."""
        return (restored - target).abs().mean()

    def __str__(self) -> str:
        return ", ".join(map(str, self.objectives))


def settings(course: Course, precision: torch.dtype) -> RunSettings:
    """Return the settings of the training loop, except how often it saves, which affects no figure."""
    return RunSettings(
        objective=course.objective,
        schedule=Schedule(course.rate, warmup=min(100, max(1, course.steps // 10)), hold=course.hold),
        steps=course.steps,
        batch=course.batch,
        patches=((0.0, course.patch),),
        precision=precision,
        seed=course.seed,
        validate_steps=course.steps + 1,
    )


class Progress(Callback):
    """Prints a line about the run at intervals, and all messages."""

    def __init__(self, workspace: Workspace, steps: int) -> None:
        self._workspace, self._steps, self._printed = workspace, steps, time.monotonic()

    def on_step(self, state: TrainState) -> None:
        """Print the progress, if the last line is old enough."""
        if time.monotonic() - self._printed > PROGRESS_SECONDS:
            self._printed = time.monotonic()
            self.on_message(f"  step {state.step} of {self._steps}, loss {state.loss:.4f}")

    def on_message(self, line: str) -> None:
        """Print a line."""
        self._workspace.say(line)


def fit(
    workspace: Workspace,
    folder: Path,
    forward: Callable[[Tensor], Tensor],
    trained: Mapping[str, nn.Parameter],
    course: Course,
    facts: Mapping[str, Any],
) -> TrainState:
    """Train ``trained`` in place; at the end it contains the averaged weights.

    A run that was stopped for any reason resumes from the checkpoint in ``folder``, and ends with the same weights as
    one that was not.

    Args:
        workspace: device, precision, photos.
        folder: the folder of the checkpoint.
        forward: maps degraded patches (N, 3, H, W) to restored ones.
        trained: the parameters, by name, float32, on the workspace's device.
        course: recipes, photos, steps and so on.
        facts: what a checkpoint must match.

    Raises:
        KeyboardInterrupt: a signal stopped it; its checkpoint has been written.
    """
    run_settings = replace(settings(course, workspace.precision), saving=Saving(CHECKPOINT_MINUTES))
    checkpoint, photos = folder / "checkpoint.safetensors", course.photos(workspace)
    trainer = Trainer(forward, trained, run_settings, photos, {}, checkpoint, facts, Progress(workspace, course.steps))
    if checkpoint.exists():
        trainer.resume()
    state = trainer.state
    if state.step < course.steps:
        state = trainer.run()
    if state.step < course.steps:
        raise KeyboardInterrupt
    with torch.no_grad():
        for name, value in trainer.optimiser.average.items():
            trained[name].copy_(value)
    return state


def step_seconds(workspace: Workspace, model: nn.Module, batch: int, patch: int) -> float:
    """Return the seconds of a training step of ``model``, from a short trial on noise."""
    x = torch.rand(batch, 3, patch, patch, device=workspace.device).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast(workspace.device.type, workspace.precision, enabled=workspace.precision != torch.float32):
            loss = (model(x).float() - x).abs().mean()
        loss.backward()

    step()  # allocates and chooses kernels
    begun, count = workspace.clock(), 0
    while count < 2 or workspace.clock() - begun < 0.3:
        step()
        count += 1
    return (workspace.clock() - begun) / count


@dataclass(frozen=True)
class FewPairs(Course):
    """A course whose only recipe was applied once to each of a few photos.

    Patches are cut, rotated and flipped from these pairs alone. The photos of few pairs are also among those of more.

    Attributes:
        pairs: number of pairs.
        side: side of a pair in pixels, taken from the centre of its photo.
    """

    pairs: int = 1
    side: int = 192

    @property
    def extent(self) -> str:
        """Its length as text."""
        return f"{several(self.pairs)}, {self.steps} steps"

    def context(self, workspace: Workspace) -> list[str]:
        """Return what else determines the result, as for any course.

        Raises:
            AdairError: fewer training photos than pairs.
        """
        if len(workspace.photos) < self.pairs:
            count = len(workspace.photos)
            raise AdairError(
                f"{workspace.place.photos}: {count} photos for training, but {self.pairs} pairs are needed; add photos"
            )
        return [*super().context(workspace), resolved(parse_recipe(self.recipes[0]))]

    def photos(self, workspace: Workspace) -> PhotoStore:
        """Return the pairs: channels of the clean image, then of the degraded one, in 8 bits."""
        order = torch.randperm(len(workspace.photos), generator=torch.Generator().manual_seed(self.seed))
        photos = workspace.photos.subset(order[: self.pairs].tolist())
        degraded = Drawn(self.recipes[0])
        pairs = []
        for name, clean in zip(photos.names, photos.centres(self.side).split(1), strict=True):
            _, given = degraded.make(clean, Sample(Path(name)))
            pixels = torch.cat([clean, quantise(given)], dim=1).mul(255).round().byte()
            pairs.append(pixels[0].permute(1, 2, 0).numpy())
        size = self.side * self.side * 6
        return PhotoStore(
            np.concatenate([pair.reshape(-1) for pair in pairs]),
            photos.names,
            ((self.side, self.side),) * self.pairs,
            tuple(range(0, size * self.pairs, size)),
            channels=6,
        )

    @property
    def objective(self) -> Objective:
        """Return the objective of given pairs."""
        return GivenPairs()


def several(pairs: int) -> str:
    """Return a number of pairs as text."""
    return "1 pair" if pairs == 1 else f"{pairs} pairs"
