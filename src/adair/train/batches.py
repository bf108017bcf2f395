"""Batches: what a step of training learns from, made from the photos, the lesson and the number of the step."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from adair.degradations import Recipe
from adair.train.lessons import Batch, Lesson, lesson_of
from adair.train.patches import Patches
from adair.train.photos import PhotoStore


class Batches:
    """Makes the batch of any step; the same step gives the same batch, in every run and on any number of processes.

    On a GPU that has room for the photos all pixels are cut and degraded there, and nothing waits for it. If it has no
    room, a second thread cuts them in main memory and sends them, one step ahead.

    Args:
        photos: what to cut patches from.
        recipe: the degradation to learn to undo, or another lesson.
        count: patches in a batch, over all processes. Each makes all of them and takes its part, so that what is
            learnt does not depend on their number.
        seed: every patch and degradation follows from it and from the step.
        device: where batches are wanted.
        share: (this process, processes): which part of every batch is made here.
        texture: share of the patches that are the most textured of a few (see `Patches`).
        shrink: large photos are also seen up to so many times smaller, where the lesson allows it (see `Patches`).
        ahead: make the next batch in a second thread during a step; None does so where the step would wait for it.
    """

    def __init__(
        self,
        photos: PhotoStore,
        recipe: Recipe | Lesson,
        count: int,
        seed: int,
        device: torch.device,
        share: tuple[int, int] = (0, 1),
        texture: float = 0.0,
        shrink: int = 1,
        ahead: bool | None = None,
    ) -> None:
        self.lesson, self.count, self.seed = lesson_of(recipe), count, seed
        self.patches = Patches(photos, device, texture, shrink if self.lesson.shrinks else 1)
        process, processes = share
        self.part = slice(count * process // processes, count * (process + 1) // processes)
        ahead = not self.patches.resident if ahead is None else ahead
        self._thread = ThreadPoolExecutor(1, "batches", initializer=_settle, initargs=(device,)) if ahead else None
        self._next: tuple[tuple[int, int], Future[Batch]] | None = None

    def make(self, step: int, side: int) -> Batch:
        """Return this process's (target, input) patches of ``step``, each (patches, 3, side, side) in 0..1."""
        if self._thread is None:
            return self._make(step, side)
        if self._next is None or self._next[0] != (step, side):
            self._next = (step, side), self._thread.submit(self._make, step, side)
        batch = self._next[1].result()
        self._next = (step + 1, side), self._thread.submit(self._make, step + 1, side)
        return batch

    def _make(self, step: int, side: int) -> Batch:
        # One generator a step, seeded by the step: a resumed run sees the same data, and data can be made ahead.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        patches = self.patches.draw(self.count, self.lesson.reach(side), generator)
        target, degraded = self.lesson.pair(patches, generator)
        return target[self.part], degraded[self.part]


def _settle(device: torch.device) -> None:
    """Make ``device`` the GPU of this thread, which begins with the first one, whichever the process uses."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
