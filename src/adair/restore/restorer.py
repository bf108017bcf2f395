"""What a user holds: a foundation, its adapters, and `Restorer.restore`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from adair.adapters import Adapter, load_adapter
from adair.errors import AdairError
from adair.hardware import memory_available, tune_allocator
from adair.inspect import Advice, Inspector, Plan, advise, load_estimator
from adair.restore.deploy import bytes_per_pixel
from adair.restore.ensemble import self_ensemble
from adair.restore.picture import WHITE, Planes, open_picture
from adair.restore.region import enlarge, region
from adair.restore.sessions import SessionCache
from adair.restore.tasks import AUTO, FOUNDATION, check_scale, parse_task
from adair.restore.tiling import Tiler, choose_tile
from adair.runtimes import Runtime, Session, create_runtime
from adair.weights import Foundation, bundled_adapters, load_foundation

Picture = TypeVar("Picture")
Progress = Callable[[int, int], None]

CPU_BUDGET = 2**30  # bytes for one tile: larger tiles are hardly faster and the machine has other things to do
MOST_TILES_AT_ONCE = 16


@dataclass(frozen=True)
class _Way:
    """How an image is restored, whatever the task: see `Restorer.restore`."""

    scale: int
    strength: float
    tile: int | None
    ensemble: bool


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
        task: str | Mapping[str, float],
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
                "denoise=0.7,dejpeg=0.3") of adapters with strengths from 0 to 2: how much of each adapter is added to
                the foundation, 1 as trained; "foundation" for the frozen network alone; or "auto" for what `inspect`
                advises, which never changes the size and may be nothing: then ``image`` itself is returned.
            scale: 2, 3 or 4, only for "sr", which enlarges twice unless told otherwise; 1 if the image was enlarged
                before and is to keep its size.
            strength: how much of the whole correction is applied, 0 to 1: the result is the mix
                ``image + strength * (restored - image)`` of every pixel. 0 returns ``image`` itself (for "sr" its
                bicubic enlargement) without running the network.
            tile: side in pixels of the square tiles in which large images are restored; None chooses by the memory at
                hand, 0 restores the whole image at once.
            progress: called with tiles done and tiles in all.
            ensemble: restore every tile in all eight flips and quarter turns and take the mean: a little better, and
                eight times as long.

        Raises:
            AdairError: an unknown task, a bad scale, strength, tile or image, or not enough memory.
        """
        blend, times = self._checked(task, scale, strength, tile)
        planes, close = open_picture(image)
        if strength == 0:
            untouched: Picture = image if times == 1 else close([_enlarged(one, times) for one in planes])
            return untouched
        plans = [self._advise(one).plan for one in planes] if task == AUTO else [(blend,)] * len(planes)
        if not any(plans):
            return image
        way = _Way(times, strength, tile, ensemble)
        restored: Picture = close(
            [self._follow(plan, one, way, progress) for plan, one in zip(plans, planes, strict=True)]
        )
        return restored

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

    def check(
        self, task: str | Mapping[str, float], scale: int | None = None, strength: float = 1.0, tile: int | None = None
    ) -> str:
        """Check what `restore` would be asked for and return a short label for it, such as "denoise" or "sr-x2".

        Raises:
            AdairError: as `restore`.
        """
        blend, times = self._checked(task, scale, strength, tile)
        if task == AUTO:
            return AUTO
        return "+".join(blend or [FOUNDATION]) + (f"-x{times}" if times > 1 else "")

    def _checked(
        self, task: str | Mapping[str, float], scale: int | None, strength: float, tile: int | None
    ) -> tuple[dict[str, float], int]:
        blend = {} if task == AUTO else parse_task(task, self.tasks)
        if not 0 <= strength <= 1:
            raise AdairError(f"strength {strength} is outside 0..1; 1 applies the whole correction")
        if tile is not None and tile < 0:
            raise AdairError(f"tile {tile} is negative; give a side in pixels, or 0 for no tiles")
        return blend, check_scale(scale, blend)

    def _advise(self, planes: Planes) -> Advice:
        with self._lock:
            if self._inspector is None:
                self._inspector = Inspector()
        return advise(self._inspector.inspect(planes.pixels), self.tasks)

    def _follow(self, plan: Plan, given: Planes, way: _Way, progress: Progress | None) -> Planes:
        """Apply the blends of a plan one after the other; progress counts the tiles of all."""
        planes = given
        for step, blend in enumerate(plan):
            session = self._session(blend)
            shown = progress and partial(_of_all, progress, step, len(plan))
            last = step == len(plan) - 1
            planes = self._restore_planes(planes, session, way, given if last else None, shown)
        return planes

    def _session(self, blend: Mapping[str, float]) -> Session:
        """The session for a blend of tasks."""
        return self._sessions.session({self._adapter(name): strength for name, strength in blend.items()})

    def _adapter(self, name: str) -> Adapter:
        """The adapter of a task, from its file when it is first asked for."""
        with self._lock:
            if name not in self._adapters:
                self._adapters[name] = load_adapter(self._files[name], self.foundation).adapter
            return self._adapters[name]

    @torch.inference_mode()
    def _restore_planes(
        self, planes: Planes, session: Session, way: _Way, given: Planes | None, progress: Progress | None
    ) -> Planes:
        """Restore ``planes``; mix the result with ``given``, the user's image, where the strength is below 1."""
        source, white = planes.pixels, WHITE[planes.pixels.dtype]
        height, width = source.shape[0] * way.scale, source.shape[1] * way.scale
        result: npt.NDArray[Any] = np.empty((height, width, source.shape[2]), source.dtype)

        def fetch(top: int, left: int, bottom: int, right: int) -> Tensor:
            x = region(source, way.scale, (top, left, bottom, right), self.device)
            return x.expand(-1, 3, -1, -1)

        def store(top: int, lines: Tensor) -> None:
            lines = lines.clamp_(0, 1)
            lines = lines if source.shape[2] == 3 else lines.mean(0, keepdim=True)
            if given is not None and way.strength < 1:
                box = (top, 0, top + lines.shape[1], width)
                before = region(given.pixels, way.scale, box, torch.device("cpu"))[0]
                lines = before.lerp(lines, way.strength).clamp_(0, 1)
            values = lines.mul_(white).permute(1, 2, 0).numpy()
            result[top : top + len(values)] = values if white == 1.0 else np.rint(values, out=values)

        tiler = Tiler(self_ensemble(session) if way.ensemble else session, *self._sizes(height, width, way.tile))
        tiler.run(height, width, fetch, store, progress)
        return Planes(result, None if planes.alpha is None else enlarge(planes.alpha, way.scale))

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


def _enlarged(planes: Planes, scale: int) -> Planes:
    """The bicubic enlargement alone."""
    bands = [enlarge(band, scale) for band in np.moveaxis(planes.pixels, 2, 0)]
    return Planes(np.dstack(bands), None if planes.alpha is None else enlarge(planes.alpha, scale))
