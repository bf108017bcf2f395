"""What all training shares: from a configuration to settings and open photos (`Run`), and to a `Result`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from adair.errors import AdairError, InputError
from adair.hardware import choose_device, tune_allocator
from adair.train.config import TrainConfig
from adair.train.objectives import Objective
from adair.train.pairs import match_pairs, open_pairs
from adair.train.photos import PhotoStore, open_store
from adair.train.processes import Processes
from adair.train.selfsupervised import open_noisy
from adair.train.settings import Defaults, RunSettings, resolve
from adair.train.state import Callback, CallbackList, TensorBoard, TrainState
from adair.train.validation import HELD_OUT_PHOTOS

MOST_LINES = 20  # about single images


@dataclass(frozen=True)
class Begin:
    """How a run begins, and what it may replace.

    Attributes:
        resume: continue from the checkpoint; settings that decide what a step learns must not change.
        restart_schedule: continue from the checkpoint with a new schedule, with any configuration.
        overwrite: replace an existing result.
    """

    resume: bool = False
    restart_schedule: bool = False
    overwrite: bool = False

    @property
    def from_checkpoint(self) -> bool:
        """Whether the run continues from a checkpoint."""
        return self.resume or self.restart_schedule

    def check(self, *outputs: Path) -> None:
        """Raise `AdairError` if a result or a checkpoint would be lost."""
        for path in outputs:
            if path.exists() and not (self.overwrite or self.from_checkpoint):
                raise AdairError(f"{path}: exists; choose another -o, --resume its training, or --overwrite it")


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        path: the file of the adapter or the foundation.
        task: name of an adapter's task.
        state: the state of the run, with the results of the weights in the file.
        scale: factor by which the degraded images of pairs were enlarged (super-resolution), otherwise 1.
        first: whether this is the process that writes and prints.
        processes: number of processes that trained together.
    """

    path: Path
    state: TrainState
    task: str = ""
    scale: int = 1
    first: bool = True
    processes: int = 1


@dataclass(frozen=True)
class Run:
    """A run that is ready for its model.

    Attributes:
        config: the configuration of the user.
        settings: the same with all defaults filled in.
        device: the device to train on.
        processes: the processes that train together.
        callbacks: called during the run; with several processes, only in the first.
        photos: all of them.
        train, held_out: the two parts into which they are split.
    """

    config: TrainConfig
    settings: RunSettings
    device: torch.device
    processes: Processes
    callbacks: Callback
    photos: PhotoStore
    train: PhotoStore
    held_out: PhotoStore


@contextmanager
def open_run(
    config: TrainConfig,
    objective: Objective,
    defaults: Defaults,
    processes: Processes,
    cache: Path,
    callbacks: Sequence[Callback],
) -> Iterator[Run]:
    """Resolve the settings, open the photos (the first process decodes them), and start the callbacks.

    Args:
        config: the configuration.
        objective: what is learnt.
        defaults: values of settings that the configuration leaves open.
        processes: the processes that train together.
        cache: folder for decoded photos.
        callbacks: called during the run, and at its end even if it fails.

    Raises:
        AdairError: settings out of range, too few photos, a missing package.
    """
    tune_allocator()
    settings = resolve(config, objective, defaults)
    followers: list[Callback] = list(callbacks) if processes.first else []
    if config.tensorboard is not None and processes.first:
        followers.append(TensorBoard(config.tensorboard))
    follower = CallbackList(followers)
    try:
        largest = max(side for _, side in settings.patches)
        processes.from_first(_decode, config, cache, largest, follower)
        photos, alone = open_photos(config, cache, largest)  # decoded now: opening takes no time
        _report_pictures(photos, alone, config.data.pairs is not None, follower)
        train, held_out = photos.split(min(HELD_OUT_PHOTOS, max(1, len(photos) // 10)))
        follower.on_start(settings)
        yield Run(config, settings, choose_device(config.device), processes, follower, photos, train, held_out)
    finally:
        follower.on_end()


def open_photos(
    config: TrainConfig, cache: Path, largest: int, progress: Callable[[int, int], None] | None = None
) -> tuple[PhotoStore, list[str]]:
    """Open the images that a configuration names; decode them unless that was done before.

    Args:
        config: names photos, pairs or noisy images.
        cache: folder for decoded images.
        largest: side of the largest patch in pixels.
        progress: called with (done, all) after each image.

    Returns:
        The store, and a line for each image without a partner.
    """
    data = config.data
    if data.pairs is not None:
        pairs, alone = match_pairs(*data.pairs, data.exclude)
        return open_pairs(pairs, cache, progress), alone
    if data.degraded_only is not None:
        return open_noisy(data.degraded_only, cache, largest, data.exclude, progress), []
    if data.photos is None:
        raise InputError("training needs photos: data.photos, data.pairs or data.degraded_only")
    return open_store(data.photos, cache, data.exclude, progress=progress), []


def _decode(config: TrainConfig, cache: Path, largest: int, callbacks: Callback) -> None:
    open_photos(config, cache, largest, callbacks.on_decode)


def _report_pictures(photos: PhotoStore, alone: Sequence[str], paired: bool, callbacks: Callback) -> None:
    """Report which images were skipped or changed."""
    lines = [f"skipped {reason}" for reason in photos.skipped] + [f"left out {line}" for line in alone]
    if paired:
        lines += [f"note: {fact['note']}" for fact in photos.facts if fact["note"]]
    for line in lines[:MOST_LINES]:
        callbacks.on_message(line)
    if len(lines) > MOST_LINES:
        callbacks.on_message(f"... and {len(lines) - MOST_LINES} more")


def config_of(result: Path) -> Path:
    """Return the path of a result's configuration."""
    return result.with_suffix(".config.toml")


def refuse_settings(config: TrainConfig, parts: Mapping[str, tuple[str, ...]], what: str) -> None:
    """Raise `InputError` for settings of another kind of run; ``parts`` has their names by section, "" for the top."""
    given = []
    for part, keys in parts.items():
        section = getattr(config, part) if part else config
        given += [f"{part}.{key}".removeprefix(".") for key in keys if getattr(section, key)]
    if given:
        raise InputError(f"{', '.join(given)}: not for {what}; leave it out")
