"""Adapters that are trained together with their foundation (`adair pretrain --together`).

The steps take turns: the foundation alone on its mix, then each task with its adapter on the foundation. A task's step
moves its adapter and the foundation. Afterwards the foundation is frozen, like any other, and its adapters fit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from adair.adapters import AdaptedModel, Adapter, create_adapter, load_adapter, save_adapter
from adair.degradations import parse_recipe
from adair.errors import AdairError, InputError
from adair.tasks import BUNDLED, Task, find_task
from adair.train.objectives import SyntheticPairs
from adair.train.report import training_card
from adair.train.run import Run
from adair.train.state import TrainState
from adair.train.trainer import Lesson
from adair.train.validation import check_objective, make_validation_sets
from adair.weights import Foundation


@dataclass(frozen=True)
class Companion:
    """An adapter that is trained together with its foundation.

    Attributes:
        task: what it undoes.
        adapter: its parameters.
        adapted: the foundation's network with the adapter on it.
        lesson: its steps.
    """

    task: Task
    adapter: Adapter
    adapted: AdaptedModel
    lesson: Lesson

    def parameters(self) -> dict[str, nn.Parameter]:
        """Return its parameters; their names begin with that of the task."""
        return {f"{self.task.name}.{name}": value for name, value in self.adapter.named_parameters()}

    def write(self, folder: Path, run: Run, state: TrainState, fingerprint: str, others: Sequence[str]) -> None:
        """Write its file, for the foundation with this fingerprint; ``state`` has the figures of all lessons."""
        settings = replace(run.settings, objective=self.lesson.objective)
        card = training_card(settings, self.lesson.own(state), run.train, run.device)
        card["training"]["together"] = list(others)
        path = file_of(folder, self.task.name)
        save_adapter(path, self.adapter, foundation_fingerprint=fingerprint, task=self.task.name, card=card)


def check_together(names: Sequence[str] | None) -> list[Task]:
    """Return the tasks of these names; None: of none.

    Raises:
        InputError: not a task that we know, or twice the same.
    """
    names = names or ()
    found = {name: find_task(name) for name in names}
    for name, task in found.items():
        if task is None:
            raise InputError(f"--together {name}: not a known task; choose from {', '.join(BUNDLED)}")
    tasks = [task for task in found.values() if task is not None]
    if len({task.name for task in tasks}) < len(names):
        raise InputError(f"--together {','.join(names)}: names a task twice")
    return tasks


def file_of(folder: Path, task: str) -> Path:
    """Return the path of the adapter of a task."""
    return folder / f"{task}.safetensors"


def make_companions(
    tasks: Sequence[Task], model: nn.Module, run: Run, start: tuple[Path, Foundation] | None
) -> list[Companion]:
    """Put an adapter for each task on ``model``, whose parameters are still trained.

    Args:
        tasks: the tasks.
        model: the foundation's network.
        run: photos, device and callbacks.
        start: file and content of the foundation that ``model`` begins as. Adapters next to the file, made for it, are
            taken up; others begin at zero.
    """
    companions = []
    for task in tasks:
        adapter = _first(task, model, run, start).to(run.device)
        adapted = AdaptedModel(model)
        adapted.attach(adapter)
        objective = check_objective(run.train, SyntheticPairs(parse_recipe(task.recipe)))
        sets = make_validation_sets(run.held_out, task.validation, run.device)
        companions.append(Companion(task, adapter, adapted, Lesson(task.name, objective, adapted, sets)))
    model.requires_grad_(True)  # `AdaptedModel` has frozen it
    return companions


def _first(task: Task, model: nn.Module, run: Run, start: tuple[Path, Foundation] | None) -> Adapter:
    path = None if start is None else file_of(start[0].parent, task.name)
    if start is None or path is None or not path.exists():
        return create_adapter("merge", model)
    try:
        adapter = load_adapter(path, start[1]).adapter
        AdaptedModel(model).attach(adapter)
    except AdairError as error:
        run.callbacks.on_message(f"note: {task.name} begins at zero: {error}")
        return create_adapter("merge", model)
    return adapter
