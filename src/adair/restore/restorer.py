"""What a user holds: a foundation, its adapters, and `Restorer.restore`."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from adair import __version__
from adair.backbones import named_sites
from adair.errors import InputError
from adair.hardware import tune_allocator
from adair.hub import installed_zoo, locate
from adair.images.buffer import ImageBuffer, open_image
from adair.inspect import MIXTURE, Advice, Inspector, RestorationPlan, add_found, advise, load_estimator
from adair.restore.library import AdapterInfo, AdapterLibrary
from adair.restore.mask import Mask
from adair.restore.options import RestoreOptions
from adair.restore.pipeline import Pipeline, of_all
from adair.restore.restoration import Picture, Progress, Restoration
from adair.restore.sessions import merged, network_for, unshuffle_of
from adair.restore.steps import enlarged, mixed
from adair.restore.tasks import AUTO, Steps, TaskSpec, check_scale, is_auto, label_of, parse_task
from adair.runtimes import Runtime, create_runtime
from adair.tasks import FOUNDATION
from adair.weights import Foundation, bundled_adapters, fingerprint, load_foundation, save_foundation


class Restorer:
    """Restores images with a frozen foundation and its adapters; made by `Restorer.load`.

    Any number of threads may use one restorer at once, with any tasks; results equal those of serial calls.

    Master weights stay in float32. The networks that run are copies with a task's adapters merged in, in the precision
    and memory layout of the device; those of the last few tasks are kept (`SessionCache`).

    Args:
        foundation: the network; the restorer takes ownership of it.
        adapters: task name to adapter file; a file is opened when its task is first used.
        device, precision: as for `choose_device` and `choose_precision`.
        inspector: decides for task "auto"; None for the bundled one, loaded when first needed.
        runtime: name of what runs the network, one of `adair.runtimes.RUNTIMES`; or a runtime object, which has
            its own device and precision.
        at_once: on a CPU, how many images are restored at the same time on this machine, by all processes together:
            with more, tiles are smaller and more is computed twice. Up to four fit into the memory planned for one.
    """

    def __init__(
        self,
        foundation: Foundation,
        adapters: Mapping[str, Path] | None = None,
        device: str | None = None,
        precision: str | None = None,
        inspector: Inspector | None = None,
        runtime: str | Runtime = "torch",
        at_once: int = 1,
    ) -> None:
        tune_allocator()
        self.foundation = foundation
        self.runtime = create_runtime(runtime, device, precision) if isinstance(runtime, str) else runtime
        self.device, self.precision = self.runtime.device, self.runtime.precision
        self._library = AdapterLibrary(foundation, adapters or {})
        self._default: TaskSpec = ""
        foundation.model.to(self.device)
        self._at_once = at_once
        self._pipeline = Pipeline(foundation, self._library, self.runtime, at_once)
        self._inspector = inspector
        self._lock = threading.Lock()  # for the inspector, which is loaded when first needed, and the foundation

    @classmethod
    def load(
        cls,
        foundation: str | os.PathLike[str] | None = None,
        device: str | None = None,
        precision: str | None = None,
        estimator: str | os.PathLike[str] | None = None,
        runtime: str | Runtime = "torch",
        at_once: int = 1,
    ) -> Restorer:
        """Load a foundation file (None: the bundled one, with its adapters).

        Args:
            foundation: a safetensors file, or an address as for `add_adapter`.
            device: "cpu", "cuda", "cuda:1", "mps"; None or "auto" for the best available.
            precision: "fp32", "bf16", "fp16"; None or "auto" for the fastest without visible loss.
            estimator: the estimator file for task "auto"; None for the bundled one, read when first needed.
            runtime, at_once: as for `Restorer`.

        Raises:
            AdairError: a file, device, precision or runtime that cannot be used.
        """
        tune_allocator()  # before anything is computed, so that all threads profit
        # Adapters fit only the foundation that they were trained on, so bundled ones need the bundled foundation.
        adapters = installed_zoo() | bundled_adapters() if foundation is None else {}
        inspector = None if estimator is None else Inspector(load_estimator(estimator))
        path = None if foundation is None else locate(foundation)
        return cls(load_foundation(path), adapters, device, precision, inspector, runtime, at_once)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of all tasks that have adapters, sorted."""
        return self._library.names

    @property
    def adapters(self) -> dict[str, AdapterInfo]:
        """What is known about every adapter, by name: file, kind, size, card."""
        return self._library.info()

    def add_adapter(self, path: str | os.PathLike[str], name: str | None = None, *, replace: bool = False) -> str:
        """Add an adapter file and return its name.

        Args:
            path: the file, which is read at once; or a folder, ``zoo/dehaze``, ``hf://user/name`` or an https address
                (see `adair.hub.locate`).
            name: its name in tasks; None for the name in the file.
            replace: whether it may replace an adapter of that name.

        Raises:
            AdairError: not an adapter file, one for another foundation (`AdapterMismatchError`), or a name in use.
        """
        return self._library.add(path, name, replace)

    def add_weighted_adapter(self, blend: Mapping[str, float], name: str, *, replace: bool = False) -> str:
        """Give a blend a name of its own, so that it can be used (and blended) like an adapter.

        Raises:
            InputError: a blend that `restore` would refuse, or a name that is taken.
        """
        return self._library.add_weighted(blend, name, replace)

    def delete_adapter(self, name: str) -> None:
        """Remove an adapter from the restorer; its file stays. A default task that needs it is no longer the default.

        Raises:
            InputError: the name is unknown, or a weighted adapter needs it.
        """
        steps = parse_task(self._default, self.tasks) if self._default and not is_auto(self._default) else ()
        adapter = self._library.delete(name)
        self._default = "" if any(name in blend for blend in steps) else self._default
        if adapter is not None:
            self._pipeline.sessions.forget(adapter)

    def set_adapter(self, task: TaskSpec) -> None:
        """Choose the task that `restore` uses by default.

        Raises:
            InputError: a task that `restore` would refuse.
        """
        self.check(RestoreOptions(task))
        self._default = task

    def disable_adapters(self) -> None:
        """Make the foundation alone the default of `restore`."""
        self._default = FOUNDATION

    def merge_adapter(self, task: TaskSpec) -> None:
        """Merge an adapter, or a blend, into the weights of the foundation, bit-identical to restoring with it.

        `foundation` is then the merged network, and task "foundation" runs it. Adapters keep working, on top of
        it. `save_foundation` writes it, `unmerge_adapter` restores the original.

        Raises:
            InputError: a sequence, "foundation" or "auto"; adapters that do not act on weights alone (kind conv); a
                foundation that is merged already.
        """
        steps = () if is_auto(task) else parse_task(task, self.tasks)
        if len(steps) != 1 or not steps[0]:
            raise InputError(f"task {task!r}: only an adapter or one blend can be merged into the foundation")
        with self._lock:
            if self.foundation is not self._library.foundation:
                raise InputError("the foundation is merged already; unmerge_adapter() restores the original")
            adapters = self._library.adapters(steps[0])
            if unshuffle_of(adapters, self.foundation) != self.foundation.unshuffle:
                raise InputError(f"task {task!r}: works at a lower resolution than the foundation; use it as it is")
            model = merged(self.foundation.model, adapters)
            if any(site.adapter is not None for _, site in named_sites(model)):
                raise InputError(
                    f"task {task!r}: has adapters that cannot be merged into weights; use them as they are"
                )
            mark = fingerprint(model.state_dict())
            facts = {"merged": steps[0], "merged_into": self.foundation.fingerprint}
            card = {**self.foundation.card, **facts, "licence": self._library.licence(steps[0])}
            self._use(replace(self.foundation, model=model, fingerprint=mark, card=card))

    def networks(self, task: TaskSpec) -> list[nn.Module]:
        """Return copies of the networks that a task runs, one for each step, with adapters merged, in float32.

        They are what a runtime receives: in evaluation mode, with local statistics, on the restorer's device. Adapters
        that cannot be merged act at their sites.

        Raises:
            InputError: as `restore`; "auto", which has no fixed network.
        """
        if is_auto(task):
            raise InputError("task 'auto' chooses networks for each image; name the task whose network you want")
        steps = parse_task(task, self.tasks)
        blends = [self._library.adapters(blend) for blend in steps]
        return [merged(network_for(adapters, self.foundation), adapters) for adapters in blends]

    def unmerge_adapter(self) -> None:
        """Restore the foundation as it was loaded, bit-identical; does nothing if nothing is merged."""
        with self._lock:
            self._use(self._library.foundation)

    def save_foundation(
        self, path: str | os.PathLike[str], dtype: torch.dtype = torch.float16, *, overwrite: bool = False
    ) -> str:
        """Write the foundation, merged or not, as a file for `Restorer.load`; returns its fingerprint.

        Args:
            path: the file.
            dtype: how values are stored: torch.float16, bfloat16 or float32.
            overwrite: whether an existing file is replaced.

        Raises:
            AdairError: a file that exists or cannot be written, or values that ``dtype`` cannot hold.
        """
        if os.path.lexists(path) and not overwrite:
            raise InputError(f"{os.fspath(path)}: exists; choose another name, or replace it with overwrite=True")
        one = self.foundation
        weights = one.model.state_dict()
        return save_foundation(path, one.backbone, one.config, weights, one.card, dtype, one.unshuffle)

    def _use(self, foundation: Foundation) -> None:
        """Restore with ``foundation`` from now on; running calls finish with the former one."""
        if foundation is not self.foundation:
            self.foundation = foundation
            self._pipeline = Pipeline(foundation, self._library, self.runtime, self._at_once)

    def restore(
        self,
        image: Picture,
        task: TaskSpec | None = None,
        scale: int | None = None,
        strength: float = 1.0,
        tile: int | None = None,
        progress: Progress | None = None,
        ensemble: bool = False,
        luma: float = 1.0,
        colour: float = 1.0,
        mask: Mask | str | os.PathLike[str] | npt.NDArray[Any] | None = None,
    ) -> Picture:
        """Restore an image; the result is of the same kind as the input.

        Gray images are restored as three equal channels and averaged; alpha is kept (and enlarged with the image).

        Args:
            image: PIL.Image, array (H, W) or (H, W, C) of uint8, uint16 or float, tensor (N, C, H, W) of floats, or
                an `ImageFile`; RGB or gray, with or without alpha; floats in 0..1. Floats outside (unclipped noise)
                are used as they are; the result is clamped.
            task: one of `tasks`; a blend such as {"denoise": 0.7, "dejpeg": 0.3} (also written
                "denoise=0.7,dejpeg=0.3") of adapters in one network, with strengths from 0 to 1 that add up to 1 at
                most: how much of each adapter is added to the foundation, 1 as trained; a sequence such as
                "dejpeg > denoise" (also ["dejpeg", "denoise"]), one network after the other; "foundation" for the
                frozen network alone; or "auto" for what `inspect` advises, which never changes the size. If that is
                nothing, ``image`` itself is returned. None for what `set_adapter` has chosen.
            scale, strength, tile, ensemble, luma, colour: see `RestoreOptions`.
            mask: where the image may change, white is restored: an image file, or an array as for `Mask.of`.
            progress: called after every tile with the number of tiles done and the total. An exception in it ends the
                work and is passed on: raise `Interrupted` to cancel.

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
        chosen = self._default if task is None else task
        where = None if mask is None else Mask.of(mask)
        options = RestoreOptions(chosen, scale, strength, tile, ensemble, luma, colour, where)
        return self.run(image, options, progress).image

    def run(self, image: Picture, options: RestoreOptions, progress: Progress | None = None) -> Restoration[Picture]:
        """Restore an image with ``options``, and report what was done; otherwise as `restore`."""
        steps, scale = self._checked(options)
        planes, close = open_image(image)
        if options.mask is not None:
            for one in planes:
                options.mask.check(*one.pixels.shape[:2])
        if options.changes_nothing:
            return Restoration(image if scale == 1 else close([enlarged(one, scale) for one in planes]), ())
        pipeline = self._pipeline
        if is_auto(options.task):
            treated = [self._treat(pipeline, one, options, progress) for one in planes]
            advice = tuple(advice for _, advice in treated)
            changed = any(one.plan for one in advice)
            return Restoration(close([one for one, _ in treated]) if changed else image, advice)
        return Restoration(close([pipeline.run(steps, one, options, scale, progress) for one in planes]), ())

    def _treat(
        self, pipeline: Pipeline, given: ImageBuffer, options: RestoreOptions, progress: Progress | None
    ) -> tuple[ImageBuffer, Advice]:
        """Apply the advice, and inspect again after each step.

        A step that improved nothing is undone; damage that it uncovered is treated, too. If no step improved anything,
        the foundation alone is tried.

        Returns:
            The image, and the advice with the steps that were kept.
        """
        first = look = self._advise(given)
        whole = RestoreOptions(options.task, tile=options.tile, ensemble=options.ensemble)
        planes, left = given, first.plan
        done: RestorationPlan = ()
        kept: RestorationPlan = ()
        while left:
            blend, left = left[0], left[1:]
            part = progress and partial(of_all, progress, len(done), len(done) + 1 + len(left))
            result = pipeline.run(parse_task(blend, self.tasks), planes, whole, 1, part)
            done += (blend,)
            second = self._advise(result, again=True)
            if second.burden < look.burden:
                planes, look = result, second
                kept += (blend,)
                left = add_found(left, second.plan, done)
            elif not (left or kept) and done[-1:] != MIXTURE:
                left = MIXTURE
        if kept and not options.whole:
            planes = mixed(given, planes, options)
        return planes, replace(first, plan=kept)

    def inspect(self, image: Any) -> list[Advice]:
        """Find out what is wrong with an image, and what task "auto" would do about it with the available adapters.

        Args:
            image: as for `restore`.

        Returns:
            One `Advice` for each image in ``image`` (a tensor may hold several).

        Raises:
            AdairError: an image that `restore` would refuse too, or no adapter for any damage that can be found.
        """
        return [self._advise(one) for one in open_image(image)[0]]

    def check(self, options: RestoreOptions) -> str:
        """Check options before there is an image, and return a label that can be part of a file name.

        The label contains everything that changes the picture: "denoise", "sr-x2", "denoise0.7+dejpeg0.3-s0.5".

        Raises:
            InputError: as `restore`.
        """
        steps, scale = self._checked(options)
        label = AUTO if is_auto(options.task) else label_of(steps)
        label += f"-x{scale}" if scale > 1 else ""
        for name in ("strength", "luma", "colour"):
            amount = getattr(options, name)
            label += f"-{name[0]}{amount:g}" if amount < 1 else ""
        label += "-masked" if options.mask else ""
        return label + ("-ensemble" if options.ensemble else "")

    def mark(self, options: RestoreOptions) -> str:
        """Return a hash of everything that determines a result: options, weights, precision, version.

        Tiles are excluded: they change single pixels by a level or two at most.
        """
        steps, scale = self._checked(options)
        names = self.tasks if is_auto(options.task) else sorted({name for blend in steps for name in blend})
        facts = [
            *(__version__, self.foundation.fingerprint, self.runtime.name, self.precision.name),
            *(options.task if is_auto(options.task) else steps, scale, options.strength, options.ensemble),
            *((name, self._library.fingerprint(name)) for name in names),
            *((options.luma, options.colour, options.mask and options.mask.digest) if not options.whole else ()),
            *([self._ready_inspector().fingerprint] if is_auto(options.task) else ()),
        ]
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _checked(self, options: RestoreOptions) -> tuple[Steps, int]:
        """Return the steps (none yet for "auto") and how many times larger the result is."""
        steps = () if is_auto(options.task) else parse_task(options.task, self.tasks)
        return steps, check_scale(options.scale, steps)

    def _advise(self, planes: ImageBuffer, again: bool = False) -> Advice:
        return advise(self._ready_inspector().inspect(planes.pixels), self.tasks, again=again)

    def _ready_inspector(self) -> Inspector:
        with self._lock:
            if self._inspector is None:
                self._inspector = Inspector()
            return self._inspector
