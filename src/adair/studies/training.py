"""How every network of the studies is trained: the product's own loop, a fixed number of steps, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.studies.job import resolved
from adair.studies.workspace import Workspace
from adair.train.checkpoint import Saving
from adair.train.lessons import Batch, Lesson, Undo
from adair.train.loop import Trainer
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report
from adair.train.schedule import Schedule

CHECKPOINT_MINUTES = 0.5
TELL_SECONDS = 60.0


@dataclass(frozen=True)
class Course:
    """What a network is taught, and for how long.

    Attributes:
        recipes: what it learns to undo; each batch is divided among them in equal parts, in this order.
        steps: optimiser steps.
        batch: patches a step; a multiple of the number of recipes.
        patch: side of a patch in pixels.
        rate: highest learning rate.
        hold: part of the steps before it falls along a half cosine.
        seed: of the first weights, the patches and the degradations.
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
        """How much it teaches, in words."""
        return f"{self.steps} steps"

    def world(self, workspace: Workspace) -> list[str]:
        """What else decides what is learnt (see `Job.world`): photos, and all settings with their defaults."""
        return [*workspace.training_mark, resolved(settings(self, workspace.precision))]

    def photos(self, workspace: Workspace) -> PhotoStore:
        """What patches are cut from: the workspace's training photos."""
        return workspace.photos

    @property
    def lesson(self) -> Lesson:
        """The recipes as the loop takes them."""
        lessons = tuple(Undo(parse_recipe(recipe)) for recipe in self.recipes)
        return lessons[0] if len(lessons) == 1 else Shares(lessons)


@dataclass(frozen=True)
class Shares:
    """Several lessons at once: every batch is divided among them in equal parts, in their order."""

    lessons: tuple[Undo, ...]
    shrinks = True

    def reach(self, side: int) -> int:
        """Return ``side``: pixels are taken as they are."""
        return side

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Degrade patches (N, 3, side, side), each part by its recipe."""
        parts = zip(self.lessons, patches.chunk(len(self.lessons)), strict=True)
        return patches, torch.cat([lesson.recipe.apply(part, generator) for lesson, part in parts])

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean absolute difference."""
        return (restored - target).abs().mean()

    def __str__(self) -> str:
        return ", ".join(map(str, self.lessons))


def settings(course: Course, precision: torch.dtype) -> Plan:
    """What the training loop is told, except how often it saves, which decides nothing."""
    return Plan(
        recipe=course.lesson,
        schedule=Schedule(course.rate, warmup=min(100, max(1, course.steps // 10)), hold=course.hold),
        steps=course.steps,
        batch=course.batch,
        patches=((0.0, course.patch),),
        precision=precision,
        seed=course.seed,
        validate_steps=course.steps + 1,
    )


def fit(
    workspace: Workspace,
    folder: Path,
    forward: Callable[[Tensor], Tensor],
    trained: Mapping[str, nn.Parameter],
    course: Course,
    facts: Mapping[str, Any],
) -> Report:
    """Train ``trained`` in place; the averaged weights are in it at the end.

    A run that was stopped in any way goes on from the checkpoint in ``folder`` and ends with the same weights as one
    that was not.

    Args:
        workspace: device, precision, photos.
        folder: for the checkpoint.
        forward: maps degraded patches (N, 3, H, W) to restored ones.
        trained: the parameters, by name, float32, on the workspace's device.
        course: recipes, photos, steps and so on.
        facts: what a checkpoint must agree on.

    Raises:
        KeyboardInterrupt: if a signal stopped it; its checkpoint is written by then.
    """
    plan = replace(settings(course, workspace.precision), saving=Saving(CHECKPOINT_MINUTES))
    checkpoint = folder / "checkpoint.safetensors"
    told = [time.monotonic()]

    def watch(report: Report) -> None:
        if time.monotonic() - told[0] > TELL_SECONDS:
            told[0] = time.monotonic()
            workspace.say(f"  step {report.step} of {course.steps}, loss {report.loss:.4f}")

    trainer = Trainer(forward, trained, plan, course.photos(workspace), {}, checkpoint, facts, watch, workspace.say)
    if checkpoint.exists():
        trainer.resume()
    report = trainer.report
    if report.step < course.steps:
        report = trainer.run()
    if report.step < course.steps:
        raise KeyboardInterrupt
    with torch.no_grad():
        for name, value in trainer.state.average.items():
            trained[name].copy_(value)
    return report


def step_seconds(workspace: Workspace, model: nn.Module, batch: int, patch: int) -> float:
    """Seconds of a training step of ``model``, from a short try on noise."""
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
