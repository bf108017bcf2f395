"""Whole runs from a configuration: `adapt` and `pretrain`, as Python and the command line call them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from adair.backbones import parse_shape
from adair.degradations import parse_recipe
from adair.errors import AdairError, InputError
from adair.hardware import choose_device, choose_precision
from adair.tasks import BUNDLED, MIX, MIX_VALIDATION, TASKS, Task, find_task
from adair.train.adapt import checkpoint_of, train_adapter
from adair.train.checkpoint import Saving
from adair.train.config import NetworkConfig, TrainConfig, parse_patches
from adair.train.lessons import Given, Lesson
from adair.train.page import pages_of
from adair.train.pairs import common_scale, match_pairs, open_pairs
from adair.train.photos import PhotoStore, open_store
from adair.train.plan import Plan, Report
from adair.train.pretrain import train_foundation
from adair.train.processes import Processes, join_processes
from adair.train.schedule import Schedule
from adair.train.selfsupervised import Neighbours, open_noisy
from adair.train.tensorboard import tensorboard_log
from adair.weights import bundled_adapters, load_foundation

T = TypeVar("T")
RESERVED = ("auto", "foundation")  # words of --task that name no adapter
ENDLESS = 10**9  # steps of a run that its minutes end


class Observer:
    """Follows a run; every method does nothing here. Only the first of several processes calls it."""

    def decoding(self, done: int, total: int) -> None:
        """So many of the photos are decoded."""

    def started(self, plan: Plan) -> None:
        """The first step comes next."""

    def step(self, state: Report) -> None:
        """A step is done."""

    def message(self, line: str) -> None:
        """Something happened that a person should know."""


@dataclass(frozen=True)
class Result:
    """What a run has made.

    Attributes:
        path: the adapter or the foundation.
        task: of an adapter, its name.
        state: how the run stands, with the results of the weights that are in the file.
        scale: by which the degraded pictures of pairs were enlarged (super-resolution), else 1.
        first: whether this is the process that writes and prints.
    """

    path: Path
    state: Report
    task: str = ""
    scale: int = 1
    first: bool = True


@dataclass(frozen=True)
class Defaults:
    """What a setting is if the configuration leaves it open."""

    steps: int
    batch: int
    learning_rate: float
    patience: int
    validate_steps: int


FOR_FOUNDATION = Defaults(steps=100_000, batch=8, learning_rate=1e-3, patience=0, validate_steps=500)
FOR_ADAPTER = Defaults(steps=10_000, batch=4, learning_rate=2e-3, patience=5, validate_steps=100)


def adapt(
    config: TrainConfig,
    *,
    resume: bool = False,
    restart_schedule: bool = False,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Train an adapter on a frozen foundation.

    The adapter's configuration, checkpoint, sheet of pictures and page are written next to it.

    Args:
        config: what to do; ``task`` and one of ``data.photos``, ``data.pairs``, ``data.degraded_only`` are needed.
        resume: go on from the checkpoint; what a step learns from must be as it was.
        restart_schedule: go on from the checkpoint with a new schedule, under any configuration.
        overwrite: replace a result that is there.
        observer: follows the run.

    Raises:
        AdairError: for settings that do not fit together, a result that exists, too few photos, nothing to learn, a
            checkpoint of another run, or a disk that is full.

    Example (``docs/training.md`` has one that runs)::

        adair.adapt(adair.TrainConfig(task="scanner", data={"pairs": ["scans", "originals"]}))
    """
    observer, data, net = observer or Observer(), config.data, config.network
    _refuse(config, {"network": ("backbone", "width", "blocks", "start_adapter")}, "adapters", ())
    if sum(source is not None for source in (data.photos, data.pairs, data.degraded_only)) != 1:
        raise InputError("give one of --photos FOLDER (with --recipe), --pairs DEGRADED CLEAN, --degraded-only FOLDER")
    if data.recipe is not None and data.photos is None:
        raise InputError(f"--recipe {data.recipe}: goes with --photos; pairs and noisy pictures are damaged already")
    if config.task is None:
        raise InputError("an adapter needs the name of its task: adair adapt NAME, or task = in the configuration")
    task = find_task(config.task)
    name = task.name if task else config.task
    lesson = _lesson(config, name, task)
    if name in RESERVED or not re.fullmatch(r"[\w-]+", name):
        words = " or ".join(RESERVED)
        raise InputError(f"{name}: cannot be the name of a task; use letters, digits and -, not {words}")
    processes = join_processes(config.device)
    target, going_on = config.output or Path(f"{name}.safetensors"), resume or restart_schedule
    for path in (target, checkpoint_of(target), *pages_of(target), config_of(target)):
        refuse_existing(path, overwrite, going_on)
    plan = make_plan(config, lesson, FOR_ADAPTER)
    frozen = load_foundation(net.foundation)
    store = _open(config, data.cache or target.parent / "cache", plan, processes, observer)
    scale = common_scale(store) if data.pairs else 1
    if scale > 1 and not (task and task.scales):
        raise InputError(f"{name}: the clean pictures are {scale} times larger; only task sr enlarges: name it sr (-o)")
    remade = name in BUNDLED and data.photos is not None and data.recipe is None  # from nothing, as it was first made
    with _following(config, processes, observer, plan) as watch:
        state = train_adapter(
            name,
            frozen,
            store,
            plan,
            target,
            kind=net.kind,
            exam=_validation(config, task, lesson),
            start=net.start,
            bundled=bundled_adapters() if net.foundation is None else {},
            begin_best=not (remade or net.fresh),
            scale=scale,
            device=config.device,
            resume=resume,
            restart=restart_schedule,
            watch=watch,
            tell=observer.message if processes.first else _ignore,
            processes=processes,
            record=config.to_dict(),
        )
    if processes.first:
        config.write(config_of(target))
    return Result(target, state, name, scale, processes.first)


def pretrain(
    config: TrainConfig,
    *,
    resume: bool = False,
    restart_schedule: bool = False,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Pre-train a foundation on clean photos by undoing random degradations.

    ``foundation.safetensors``, its configuration and the checkpoint are written into ``config.output``.

    Args:
        config: what to do; ``data.photos`` and ``output`` are needed.
        resume: go on from the checkpoint; what a step learns from must be as it was.
        restart_schedule: go on from the checkpoint with a new schedule, under any configuration.
        overwrite: replace a result that is there.
        observer: follows the run.

    Raises:
        AdairError: as `adapt`.
    """
    observer, data, net = observer or Observer(), config.data, config.network
    _refuse(config, {"data": ("pairs", "degraded_only"), "network": ("foundation",)}, "foundations", ("task",))
    if net.fresh or net.kind != NetworkConfig().kind:
        raise InputError("network.kind and network.fresh: are for adapters (adair adapt)")
    if data.photos is None or config.output is None:
        raise InputError("pre-training needs --photos FOLDER and --output FOLDER")
    processes, folder = join_processes(config.device), config.output
    target = folder / "foundation.safetensors"
    for path in (target, folder / "checkpoint.safetensors", config_of(target)):
        refuse_existing(path, overwrite, resume or restart_schedule)
    plan = make_plan(config, data.recipe or MIX, FOR_FOUNDATION)
    shape = parse_shape(net.backbone or "nafnet", net.width, net.blocks)
    store = _open(config, data.cache or folder / "cache", plan, processes, observer)
    with _following(config, processes, observer, plan) as watch:
        path, state = train_foundation(
            store,
            plan,
            folder,
            backbone=net.backbone,
            config=shape,
            exam=MIX_VALIDATION if data.recipe is None else {"recipe": data.recipe},
            start=net.start,
            start_adapter=net.start_adapter,
            device=config.device,
            resume=resume,
            restart=restart_schedule,
            watch=watch,
            tell=observer.message if processes.first else _ignore,
            processes=processes,
            record=config.to_dict(),
        )
    if processes.first:
        config.write(config_of(target))
    return Result(path, state, first=processes.first)


def config_of(result: Path) -> Path:
    """Return where the configuration of a result lies."""
    return result.with_suffix(".config.toml")


def make_plan(config: TrainConfig, recipe: str | Lesson, default: Defaults) -> Plan:
    """Return what the trainer does for a configuration."""
    schedule, optimiser, saving = config.schedule, config.optimiser, config.checkpoint
    steps = ENDLESS if schedule.minutes is not None else schedule.steps
    return Plan(
        recipe=parse_recipe(recipe) if isinstance(recipe, str) else recipe,
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
        max_minutes=schedule.max_minutes if schedule.minutes is None else schedule.minutes,
        by_time=schedule.by == "time" or schedule.minutes is not None,
        saving=Saving(saving.minutes, saving.keep, saving.part_mb, saving.precision == "bf16"),
        validate_steps=_or(schedule.validate_steps, default.validate_steps),
        texture=config.data.texture,
        shrink=config.data.shrink,
        compile=config.compile,
        patience=_or(schedule.patience, default.patience),
    )


def refuse_existing(path: Path, overwrite: bool, resume: bool) -> None:
    """Raise `AdairError` if a result or a checkpoint would be lost."""
    if path.exists() and not (overwrite or resume):
        raise AdairError(f"{path}: exists already; choose another -o, --resume its training, or --overwrite it")


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


def _ignore(line: str) -> None:
    pass


def _refuse(config: TrainConfig, parts: Mapping[str, tuple[str, ...]], what: str, own: tuple[str, ...]) -> None:
    """Refuse settings that are not for this kind of run."""
    given = [name for name in own if getattr(config, name) is not None]
    given += [f"{part}.{key}" for part, keys in parts.items() for key in keys if getattr(getattr(config, part), key)]
    if given:
        raise InputError(f"{', '.join(given)}: not for {what}; leave it out")


def _precision(name: str | None, device: torch.device) -> torch.dtype:
    """The precision to train in: where restoring would choose fp16 by itself, fp32, which needs no loss scaling."""
    chosen = choose_precision(name, device).dtype
    return torch.float32 if name in (None, "auto") and chosen == torch.float16 else chosen


def _lesson(config: TrainConfig, name: str, task: Task | None) -> str | Lesson:
    if config.data.pairs is not None:
        return Given()
    if config.data.degraded_only is not None:
        return Neighbours()
    recipe = config.data.recipe or (task.recipe if task else None)
    if recipe is None:
        raise InputError(f"{name}: no known task ({', '.join(TASKS)}); say what to undo with --recipe")
    return recipe


def _validation(config: TrainConfig, task: Task | None, lesson: str | Lesson) -> Mapping[str, str | Lesson]:
    """What is measured on held-out photos, by name."""
    if not isinstance(lesson, str):
        return {"pairs" if config.data.pairs else "noisy": lesson}
    if task is None or config.data.recipe is not None:
        return {"recipe": str(parse_recipe(lesson))}
    return dict(task.validation)


def _open(config: TrainConfig, cache: Path, plan: Plan, processes: Processes, observer: Observer) -> PhotoStore:
    """Open the pictures, decoding them in the first process; tell what was left out."""
    data = config.data
    alone: list[str] = []
    exclude = list(data.exclude)
    opener: Callable[..., PhotoStore]
    if data.pairs is not None:
        matches, alone = match_pairs(*data.pairs, exclude)
        opener = partial(open_pairs, matches, cache)
    elif data.degraded_only is not None:
        opener = partial(open_noisy, data.degraded_only, cache, max(side for _, side in plan.patches), exclude)
    else:
        assert data.photos is not None
        opener = partial(open_store, data.photos, cache, exclude)

    def decode() -> None:
        opener(progress=observer.decoding)

    processes.from_first(decode)
    store = opener(progress=None)  # decoded now: opening takes no time
    if processes.first:
        lines = [f"skipped {reason}" for reason in store.skipped] + [f"left out {line}" for line in alone]
        if data.pairs is not None:
            lines += [f"note: {fact['note']}" for fact in store.facts if fact["note"]]
        tell_some(lines, observer)
    return store


def tell_some(lines: list[str], observer: Observer, most: int = 20) -> None:
    """Tell the first lines, and how many more there are."""
    for line in lines[:most]:
        observer.message(line)
    if len(lines) > most:
        observer.message(f"... and {len(lines) - most} more")


class _following:
    """Context: hands each state to the observer and to TensorBoard, in the first process."""

    def __init__(self, config: TrainConfig, processes: Processes, observer: Observer, plan: Plan) -> None:
        self.observer, self.plan, self.first = observer, plan, processes.first
        wanted = config.tensorboard if processes.first else None
        self.log = tensorboard_log(wanted) if wanted else nullcontext(lambda state: None)

    def __enter__(self) -> Callable[[Report], None]:
        self.note = self.log.__enter__()
        if self.first:
            self.observer.started(self.plan)
        return self.watch

    def __exit__(self, *error: Any) -> None:
        self.log.__exit__(*error)

    def watch(self, state: Report) -> None:
        if self.first:
            self.note(state)
            self.observer.step(state)
