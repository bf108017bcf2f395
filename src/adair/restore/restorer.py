"""What a user holds: a foundation, its adapters, and `Restorer.restore`."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from adair import __version__
from adair.adapters import Adapter, load_adapter
from adair.errors import AdairError
from adair.hardware import memory_available, tune_allocator
from adair.inspect import Advice, Inspector, advise, load_estimator
from adair.restore.deploy import bytes_per_pixel
from adair.restore.options import RestoreOptions
from adair.restore.picture import Planes, open_picture
from adair.restore.sessions import SessionCache
from adair.restore.steps import Mix, Progress, Step, enlarged
from adair.restore.tasks import (
    AUTO,
    FOUNDATION,
    UPSCALING,
    Blend,
    Steps,
    TaskSpec,
    check_scale,
    is_auto,
    label_of,
    parse_task,
)
from adair.restore.tiling import choose_tile
from adair.runtimes import Runtime, Session, create_runtime
from adair.weights import Foundation, bundled_adapters, fingerprint, load_foundation

Picture = TypeVar("Picture")

CPU_BUDGET = 2**30  # bytes for one tile: larger tiles are hardly faster and the machine has other things to do
MOST_TILES_AT_ONCE = 16


@dataclass(frozen=True)
class Restoration(Generic[Picture]):
    """A restored image and how it came about.

    Attributes:
        image: of the kind that came in; the same object where there was nothing to do.
        advice: what task "auto" found, one for each image; none for other tasks.
    """

    image: Picture
    advice: tuple[Advice, ...]


class Restorer:
    """Restores images with a frozen foundation and its adapters; made by `Restorer.load`.

    Any number of threads may use one restorer at once, with any tasks; every result is the one that it would be alone.

    Master weights stay in float32. What runs are copies with the adapters of a task merged in, in the precision and
    memory layout of the device; those of the last few tasks are kept (`SessionCache`).

    Args:
        foundation: the network; the restorer takes it over.
        adapters: task name to adapter file; a file is opened when its task is first asked for.
        device, precision: as for `choose_device` and `choose_precision`.
        inspector: what task "auto" asks; None for the bundled one, loaded when first needed.
        runtime: name of what runs the network, one of `adair.runtimes.RUNTIMES`; or a runtime ready-made, which knows
            its device and precision.
    """

    def __init__(
        self,
        foundation: Foundation,
        adapters: Mapping[str, Path] | None = None,
        device: str | None = None,
        precision: str | None = None,
        inspector: Inspector | None = None,
        runtime: str | Runtime = "torch",
    ) -> None:
        tune_allocator()
        self.foundation = foundation
        self.runtime = create_runtime(runtime, device, precision) if isinstance(runtime, str) else runtime
        self.device, self.precision = self.runtime.device, self.runtime.precision
        self._files = dict(adapters or {})
        self._adapters: dict[str, Adapter] = {}
        self._sessions = SessionCache(foundation.model.to(self.device), self.runtime)
        self._inspector = inspector
        self._lock = threading.Lock()  # for what is loaded when first needed: adapters and the inspector

    @classmethod
    def load(
        cls,
        foundation: str | os.PathLike[str] | None = None,
        device: str | None = None,
        precision: str | None = None,
        estimator: str | os.PathLike[str] | None = None,
        runtime: str | Runtime = "torch",
    ) -> Restorer:
        """Load a foundation file (None: the bundled one, with its adapters).

        Args:
            foundation: a safetensors file.
            device: "cpu", "cuda", "cuda:1", "mps"; None or "auto" for the best there is.
            precision: "fp32", "bf16", "fp16"; None or "auto" for the fastest that keeps the picture.
            estimator: the file that task "auto" judges with; None for the bundled one, read when first needed.
            runtime: as for `Restorer`.

        Raises:
            AdairError: a file, device, precision or runtime that cannot be used.
        """
        # Adapters open only on the foundation that they were trained on, so bundled ones belong to the bundled one.
        adapters = bundled_adapters() if foundation is None else {}
        inspector = None if estimator is None else Inspector(load_estimator(estimator))
        return cls(load_foundation(foundation), adapters, device, precision, inspector, runtime)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that there are adapters for, sorted."""
        return tuple(sorted({*self._files, *self._adapters}))

    def add_adapter(self, path: str | os.PathLike[str]) -> str:
        """Add the task of an adapter file (it replaces one of the same name) and return the task's name.

        Raises:
            AdairError: no adapter file, or one for another foundation.
        """
        loaded = load_adapter(path, self.foundation)
        name = loaded.task
        if name in (FOUNDATION, AUTO):
            what = "the network without adapters" if name == FOUNDATION else "the choice by what an image needs"
            raise AdairError(f"{path}: task name '{name}' is taken by {what}; choose another")
        with self._lock:
            former = self._adapters.get(name)
            self._adapters[name] = loaded.adapter
        if former is not None:
            self._sessions.forget(former)
        return name

    def restore(
        self,
        image: Picture,
        task: TaskSpec,
        scale: int | None = None,
        strength: float = 1.0,
        tile: int | None = None,
        progress: Progress | None = None,
        ensemble: bool = False,
    ) -> Picture:
        """Restore an image; the result is of the kind that came in.

        Gray images are restored as three equal channels and averaged; alpha stays as it is (enlarged with the image).

        Args:
            image: PIL.Image, array (H, W) or (H, W, C) of uint8, uint16 or float, tensor (N, C, H, W) of floats, or
                an `ImageFile`; RGB or gray, with or without alpha; floats in 0..1. Floats outside (unclipped noise)
                are taken as they are; the result is clamped.
            task: one of `tasks`; a blend such as {"denoise": 0.7, "dejpeg": 0.3} (also written
                "denoise=0.7,dejpeg=0.3") of adapters in one network, with strengths from 0 to 1 that add up to 1 at
                most: how much of each adapter is added to the foundation, 1 as trained; a sequence such as
                "dejpeg > denoise" (also ["dejpeg", "denoise"]), one network after the other; "foundation" for the
                frozen network alone; or "auto" for what `inspect` advises, which never changes the size and may be
                nothing: then ``image`` itself is returned.
            scale, strength, tile, ensemble: see `RestoreOptions`.
            progress: called after every tile with tiles done and tiles in all. What it raises ends the work and is
                passed on: raise `Interrupted` to cancel.

        Raises:
            InputError: an unknown task, a bad scale, strength, tile or image.
            NonFiniteOutputError: the network returned NaN or infinity.
            OutOfMemoryError: not enough memory, even for the smallest tile.

        Example:
            >>> import numpy as np, adair
            >>> restorer = adair.Restorer.load()
            >>> restorer.restore(np.zeros((40, 50, 3), np.uint8), "dejpeg > denoise").shape
            (40, 50, 3)
        """
        return self.run(image, RestoreOptions(task, scale, strength, tile, ensemble), progress).image

    def run(self, image: Picture, options: RestoreOptions, progress: Progress | None = None) -> Restoration[Picture]:
        """Restore an image as ``options`` say, and tell what was done; otherwise as `restore`."""
        steps, scale = self._checked(options)
        planes, close = open_picture(image)
        if options.strength == 0:
            return Restoration(image if scale == 1 else close([enlarged(one, scale) for one in planes]), ())
        advice = [self._advise(one) for one in planes] if is_auto(options.task) else []
        plans = [one.plan for one in advice] or [steps] * len(planes)
        if not any(plans):
            return Restoration(image, tuple(advice))
        restored = [self._follow(plan, one, options, scale, progress) for plan, one in zip(plans, planes, strict=True)]
        return Restoration(close(restored), tuple(advice))

    def inspect(self, image: Any) -> list[Advice]:
        """Find out what is wrong with an image and what task "auto" would do about it with the adapters at hand.

        Args:
            image: as for `restore`.

        Returns:
            One `Advice` for each image in ``image`` (a tensor may hold several).

        Raises:
            AdairError: an image that `restore` would not take either, or no adapter for any damage that can be found.
        """
        return [self._advise(one) for one in open_picture(image)[0]]

    def check(self, options: RestoreOptions) -> str:
        """Check options before there is an image, and return a label that can be part of a file name.

        Whatever changes the picture is in the label: "denoise", "sr-x2", "denoise0.7+dejpeg0.3-s0.5".

        Raises:
            InputError: as `restore`.
        """
        steps, scale = self._checked(options)
        label = AUTO if is_auto(options.task) else label_of(steps)
        label += f"-x{scale}" if scale > 1 else ""
        label += f"-s{options.strength:g}" if options.strength < 1 else ""
        return label + ("-ensemble" if options.ensemble else "")

    def mark(self, options: RestoreOptions) -> str:
        """Return a hash of all that decides what an image becomes: options, weights, precision, version.

        Tiles are left out: they change single pixels by a level or two at most.
        """
        steps, scale = self._checked(options)
        names = self.tasks if is_auto(options.task) else sorted({name for blend in steps for name in blend})
        facts = [
            *(__version__, self.foundation.fingerprint, self.runtime.name, self.precision.name),
            *(options.task if is_auto(options.task) else steps, scale, options.strength, options.ensemble),
            *((name, fingerprint(self._adapter(name).state_dict())) for name in names),
        ]
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _checked(self, options: RestoreOptions) -> tuple[Steps, int]:
        """The steps (none yet for "auto") and how many times larger the result is."""
        steps = () if is_auto(options.task) else parse_task(options.task, self.tasks)
        return steps, check_scale(options.scale, steps)

    def _advise(self, planes: Planes) -> Advice:
        with self._lock:
            if self._inspector is None:
                self._inspector = Inspector()
        return advise(self._inspector.inspect(planes.pixels), self.tasks)

    def _follow(
        self, plan: Steps, given: Planes, options: RestoreOptions, scale: int, progress: Progress | None
    ) -> Planes:
        """Apply blends one after the other; the one with "sr" enlarges, and progress counts the tiles of all."""
        planes = given
        for number, blend in enumerate(plan):
            times = scale if UPSCALING in blend else 1
            step = self._step(blend, planes, options, times)
            last = number == len(plan) - 1
            mix = Mix(given.pixels, scale, options.strength) if options.strength < 1 and last else None
            planes = step.run(planes, mix, progress and partial(_of_all, progress, number, len(plan)))
        return planes

    def _step(self, blend: Blend, planes: Planes, options: RestoreOptions, scale: int) -> Step:
        height, width = (side * scale for side in planes.pixels.shape[:2])
        tile, batch = self._sizes(height, width, options.tile)
        name = f"task '{label_of((blend,))}'"
        return Step(self._session(blend), name, self.device, scale, tile, batch, options.ensemble)

    def _session(self, blend: Blend) -> Session:
        """The session for a blend of tasks."""
        return self._sessions.session({self._adapter(name): strength for name, strength in blend.items()})

    def _adapter(self, name: str) -> Adapter:
        """The adapter of a task, from its file when it is first asked for."""
        with self._lock:
            if name not in self._adapters:
                self._adapters[name] = load_adapter(self._files[name], self.foundation).adapter
            return self._adapters[name]

    def _sizes(self, height: int, width: int, tile: int | None) -> tuple[tuple[int, int], int]:
        """Height and width of a tile, and how many go through the network together."""
        if tile == 0:
            return (height, width), 1
        cost = bytes_per_pixel(self.foundation.backbone, self.foundation.config["width"], self.precision.dtype)
        memory = memory_available(self.device) // 2
        if self.device.type == "cpu":
            memory = min(memory, CPU_BUDGET)
        sides = (tile, tile) if tile else choose_tile(height, width, int(memory / cost))
        together = 1 if self.device.type == "cpu" else int(memory / (cost * sides[0] * sides[1]))
        return sides, min(max(together, 1), MOST_TILES_AT_ONCE)


def _of_all(progress: Progress, step: int, steps: int, done: int, total: int) -> None:
    progress(step * total + done, steps * total)
