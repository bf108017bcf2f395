"""Restoring an image of any size in tiles: how large they are, where they lie, and how they are joined.

Three independent functions: `choose_tile` (size), `split` (positions) and `fade` (blending). `Tiler` combines them, and
changes to smaller tiles when memory runs out.
"""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Callable

import torch
from torch import Tensor

from adair.backbones import CELL
from adair.errors import OutOfMemoryError

log = logging.getLogger(__name__)

# Neighbours share OVERLAP pixels, and are blended over the middle FADE of them; further out a tile lacks
# context. On a noisy photo of 2000x1500 single pixels were up to 18 of 255 off the whole image with 64 and up to 7 with
# 128; with 192 none is off by more than 2.
OVERLAP = 6 * CELL
FADE = CELL
SMALLEST = 4 * CELL
EQUAL = 1.02  # times the least work
MOST_PIXELS = 2048**2  # larger tiles gain nothing, and convolution libraries count elements with 32 bits

Fetch = Callable[[int, int, int, int], Tensor]
Store = Callable[[int, Tensor], None]


def choose_tile(height: int, width: int, most: int) -> tuple[int, int]:
    """Return height and width of the tiles of at most ``most`` pixels that restore an image with the least work.

    That is the whole image if it fits; a side is never below `SMALLEST`, however small ``most`` is. Of tiles that are
    as good but for `EQUAL`, the lowest: a row of them is in memory across the whole image.
    """
    most = min(most, MOST_PIXELS)
    found = {(SMALLEST, SMALLEST): math.inf}
    for columns in range(1, math.ceil(width / CELL) + 1):
        across = width if columns == 1 else _even(width, columns, OVERLAP)
        down = height if height * across <= most else most // across // CELL * CELL
        if (columns > 1 and across < SMALLEST) or down < min(SMALLEST, height):
            continue
        work = math.prod(
            sum(stop - start for start, stop in split(side, tile, overlap_of(tile)))
            for side, tile in ((height, down), (width, across))
        )
        found[down, across] = work
    least = min(found.values())
    equal = [sides for sides, work in found.items() if work <= EQUAL * least]
    return min(equal, key=lambda sides: (sides[0], found[sides]))


def overlap_of(tile: int) -> int:
    """Return how many pixels tiles of side ``tile`` share: `OVERLAP`, or half of a small tile."""
    return min(OVERLAP, tile // 2 // CELL * CELL)


def split(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Cover ``length`` pixels with spans (start, stop) of at most ``tile``, neighbours sharing exactly ``overlap``.

    Spans start at multiples of `CELL`, so that tiles have the cells of the whole image, and are about equally long.

    Args:
        length: pixels to cover, at least 1.
        tile: at least twice ``overlap``, so that no pixel lies in three spans.
        overlap: a multiple of `CELL`.
    """
    if length <= tile:
        return [(0, length)]
    tile = tile // CELL * CELL
    size = _even(length, math.ceil((length - overlap) / (tile - overlap)), overlap)
    step = size - overlap
    count = math.ceil((length - overlap) / step)
    return [(i * step, min(i * step + size, length)) for i in range(count)]


def _even(length: int, count: int, overlap: int) -> int:
    """Return the length of each of ``count`` spans that cover ``length``, on the grid of cells."""
    return max(math.ceil((length - overlap) / count / CELL) * CELL, overlap) + overlap


def fade(span: tuple[int, int], length: int, overlap: int) -> Tensor:
    """Return the weight of every pixel of ``span``: 1, falling as a squared cosine to 0 towards a neighbour.

    The weights of all spans of `split` add up to 1 at every pixel.
    """
    start, stop = span
    weight = torch.ones(stop - start)
    place = (torch.arange(overlap) + 0.5 - (overlap - FADE) / 2) / FADE
    rise = torch.sin(place.clamp(0, 1) * (math.pi / 2)).square()
    if start > 0:
        weight[:overlap] = rise
    if stop < length:
        weight[-overlap:] = 1 - rise
    return weight


class Tiler:
    """Runs a network over an image tile by tile, a row of tiles at a time, so that only one row is ever in memory.

    Args:
        network: maps (N, 3, H, W) to the same shape.
        tile: height and width of a tile in pixels, at least `SMALLEST` each; when memory runs out, tiles shrink and
            stay small, and finished lines are kept.
        batch: tiles of equal size that go through the network together.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], tile: tuple[int, int], batch: int = 1) -> None:
        self.network = network
        self.tile = max(tile[0], SMALLEST), max(tile[1], SMALLEST)
        self.batch = batch

    def run(
        self,
        height: int,
        width: int,
        fetch: Fetch,
        store: Store,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Restore an image of ``height`` x ``width``.

        Args:
            height, width: size in pixels.
            fetch: returns the input (1, 3, bottom - top, right - left) for (top, left, bottom, right).
            store: receives finished lines: the number of the first one, and a CPU tensor (3, lines, width).
            progress: called with the number of tiles done and the total.

        Raises:
            OutOfMemoryError: even the smallest tile does not fit into memory.
        """
        down, across = (overlap_of(side) for side in self.tile)
        rows, columns = split(height, self.tile[0], down), split(width, self.tile[1], across)
        fades = [fade(column, width, across) for column in columns]
        carried, done = torch.empty(3, down, width), 0
        room = torch.empty(3, max(bottom - top for top, bottom in rows), width)  # one, since new ones scatter memory
        for top, bottom in rows:
            strip = room[:, : bottom - top].zero_()
            for group in _equal_groups(columns, self.batch):
                tiles = [fetch(top, columns[i][0], bottom, columns[i][1]) for i in group]
                for i, restored in zip(group, self._restore(torch.cat(tiles)), strict=True):
                    left, right = columns[i]
                    strip[:, :, left:right].addcmul_(restored.float().cpu(), fades[i])
                done += len(group)
                if progress:
                    progress(done, len(rows) * len(columns))
            strip *= fade((top, bottom), height, down)[:, None]
            if top > 0:
                strip[:, :down] += carried
            if bottom < height:
                carried.copy_(strip[:, -down:])
                strip = strip[:, :-down]
            store(top, strip)

    def _restore(self, tiles: Tensor) -> Tensor:
        """Restore (N, 3, H, W); if that does not fit into memory, one by one, then in smaller pieces."""
        height, width = tiles.shape[-2:]
        fits = height <= self.tile[0] and width <= self.tile[1]
        restored = self._attempt(tiles) if fits else None
        if restored is not None:
            return restored
        if len(tiles) > 1:
            self.batch = 1
            return torch.cat([self._restore(tile[None]).cpu() for tile in tiles])
        if fits:
            if max(height, width) <= SMALLEST:
                raise OutOfMemoryError(
                    f"not enough memory to restore even {width}x{height} pixels at once; close other programs, "
                    "or use a smaller model or another --device"
                )
            half = max(max(height, width) // 2 // CELL * CELL, SMALLEST)
            self.tile = (half, min(width, self.tile[1])) if height >= width else (min(height, self.tile[0]), half)
            self.tile = max(self.tile[0], SMALLEST), max(self.tile[1], SMALLEST)
            log.info("memory ran out at %dx%d pixels; continuing with tiles of %dx%d", width, height, *self.tile[::-1])
        result = torch.empty(3, height, width)

        def store(top: int, lines: Tensor) -> None:
            result[:, top : top + lines.shape[1]] = lines

        self.run(height, width, lambda top, left, bottom, right: tiles[..., top:bottom, left:right], store)
        return result[None]

    def _attempt(self, tiles: Tensor) -> Tensor | None:
        """Return the network's output, or None if memory ran out (returning first frees what the failure held)."""
        try:
            return self.network(tiles)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()
        if tiles.is_cuda:
            torch.cuda.empty_cache()
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` means that memory ran out, on any device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    signs = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _equal_groups(columns: list[tuple[int, int]], most: int) -> list[list[int]]:
    """Return groups of neighbouring columns of equal width, at most ``most`` in each."""
    groups: list[list[int]] = []
    for i, (left, right) in enumerate(columns):
        last = groups[-1] if groups else []
        same = last and columns[last[0]][1] - columns[last[0]][0] == right - left
        if same and len(last) < most:
            last.append(i)
        else:
            groups.append([i])
    return groups
