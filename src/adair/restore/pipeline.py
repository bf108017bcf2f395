"""From steps and an image to the restored image: which network runs, and on tiles of what size."""

from __future__ import annotations

from functools import partial

from adair.hardware import memory_available
from adair.images.buffer import ImageBuffer
from adair.restore.deploy import bytes_per_pixel
from adair.restore.library import AdapterLibrary
from adair.restore.mix import Mix
from adair.restore.options import RestoreOptions
from adair.restore.restoration import Progress
from adair.restore.sessions import SessionCache, unshuffle_of
from adair.restore.steps import Step
from adair.restore.tasks import UPSCALING, Blend, Steps, label_of
from adair.restore.tiling import SMALLEST, choose_tile
from adair.runtimes import Runtime, Session
from adair.weights import Foundation

# Bytes for one tile on a CPU. What neighbouring tiles share is computed twice: at 6 megapixels in bfloat16 1 GiB costs
# 1.31 times the work of the photo alone, 4 GiB 1.07, and more gains nothing (`MOST_PIXELS` of a tile). The least leaves
# 24 megapixels within 1.9 GB in all (benchmarks/memory.py).
LEAST_BUDGET = 9 * 2**30 // 10
LARGEST_BUDGET = 4 * LEAST_BUDGET
MOST_TILES_AT_ONCE = 16


def cpu_budget(free: int, at_once: int = 1) -> int:
    """Return how many bytes a tile may take on a CPU: a quarter of what is free for each of ``at_once`` images.

    It is 0.9, 1.8 or 3.6 GiB: the position of tiles changes single pixels by a level or two, so two runs should not
    differ because some other program has started.

    >>> [round(cpu_budget(free * 2**30) / 2**30, 1) for free in (1, 7, 8, 14, 15, 500)]
    [0.9, 0.9, 1.8, 1.8, 3.6, 3.6]
    """
    budget = LEAST_BUDGET
    while budget < LARGEST_BUDGET and 8 * budget * at_once <= free:
        budget *= 2
    return budget


class Pipeline:
    """Runs steps on images with one foundation; any number of threads may use it.

    Args:
        foundation: the foundation; its network is on the runtime's device.
        library: the adapters that the names in steps refer to.
        runtime: what runs the networks.
        at_once: how many images are restored at the same time on this machine; divides the memory.
    """

    def __init__(self, foundation: Foundation, library: AdapterLibrary, runtime: Runtime, at_once: int = 1) -> None:
        self.foundation, self.library, self.runtime = foundation, library, runtime
        # Chosen once, so that a restorer tiles every image of the same size in the same way.
        self.budget = cpu_budget(memory_available(), at_once)
        self.sessions = SessionCache(foundation, runtime)

    def run(
        self, steps: Steps, given: ImageBuffer, options: RestoreOptions, scale: int, progress: Progress | None
    ) -> ImageBuffer:
        """Apply steps one after the other; without any, ``given`` itself is returned.

        Args:
            steps: blends of named adapters; the one with "sr" enlarges the image ``scale`` times.
            given: the image.
            options: tile, ensemble, and how ``given`` and the result are mixed.
            progress: called with the tiles of all steps.
        """
        planes = given
        for number, blend in enumerate(steps):
            step = self._step(blend, planes, options, scale if UPSCALING in blend else 1)
            last = number == len(steps) - 1
            mix = Mix(given.pixels, scale, options) if last and not options.whole else None
            planes = step.run(planes, mix, progress and partial(of_all, progress, number, len(steps)))
        return planes

    def session(self, blend: Blend) -> Session:
        """Return the network for a blend of named adapters."""
        return self.sessions.session(self.library.adapters(blend))

    def tile_sizes(self, height: int, width: int, tile: int | None, unshuffle: int = 1) -> tuple[tuple[int, int], int]:
        """Return height and width of a tile for an image, and how many tiles go through the network together.

        Args:
            height, width: of the image that the network sees, in pixels.
            tile: what the user asked for; 0: the whole image.
            unshuffle: the network works at 1/unshuffle of the resolution.
        """
        device = self.runtime.device
        if tile == 0 or (tile is None and device.type == "cpu" and max(height, width) <= SMALLEST):
            return (height, width), 1
        one = self.foundation
        cost = bytes_per_pixel(one.backbone, one.config, self.runtime.precision.dtype, unshuffle)
        memory = memory_available(device) // 2
        if device.type == "cpu":
            memory = min(memory, self.budget)
        sides = (tile, tile) if tile else choose_tile(height, width, int(memory / cost))
        together = 1 if device.type == "cpu" else int(memory / (cost * sides[0] * sides[1]))
        return sides, min(max(together, 1), MOST_TILES_AT_ONCE)

    def _step(self, blend: Blend, planes: ImageBuffer, options: RestoreOptions, scale: int) -> Step:
        height, width = (side * scale for side in planes.pixels.shape[:2])
        unshuffle = unshuffle_of(self.library.adapters(blend), self.foundation)
        tile, batch = self.tile_sizes(height, width, options.tile, unshuffle)
        name = f"task '{label_of((blend,))}'"
        return Step(self.session(blend), name, self.runtime.device, scale, tile, batch, options.ensemble)


def of_all(progress: Progress, step: int, steps: int, done: int, total: int) -> None:
    """Report the progress of one of several steps as part of the whole."""
    progress(step * total + done, steps * total)
