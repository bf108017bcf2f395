"""Restoring an image of any size in tiles: how large they are, where they lie, how they are joined.

Three ideas that know nothing of each other: `choose_tile` (the size policy), `split` (the places) and `fade` (the
blending); `Tiler` puts them together and goes to smaller tiles when memory runs out.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable

import torch
from torch import Tensor

from adair.backbones import CELL
from adair.errors import AdairError

OVERLAP = 2 * CELL  # pixels that neighbours share
MARGIN = 8  # outermost pixels of a tile that are not used where a neighbour has them
SMALLEST = 2 * OVERLAP
LARGEST = 2048

Fetch = Callable[[int, int, int, int], Tensor]
Store = Callable[[int, Tensor], None]


def choose_tile(memory: int, bytes_per_pixel: float) -> int:
    """The side of the largest square tile that a network restores within ``memory`` bytes, a multiple of the cell.

    Never below `SMALLEST` (there the overlap would cost more than the tile) or above `LARGEST` (nothing left to gain).
    """
    side = math.isqrt(int(memory / bytes_per_pixel)) // CELL * CELL
    return min(max(side, SMALLEST), LARGEST)


def split(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Cover ``length`` pixels with spans (start, stop) of at most ``tile``, neighbours sharing exactly ``overlap``.

    Spans start at multiples of `CELL`, so every tile has the cells of the whole image, and are about equally long.

    Args:
        length: pixels to cover, at least 1.
        tile, overlap: multiples of `CELL`, ``tile`` at least twice ``overlap``, so that no pixel lies in three spans.
    """
    if length <= tile:
        return [(0, length)]
    count = math.ceil((length - overlap) / (tile - overlap))
    step = max(math.ceil((length - overlap) / count / CELL) * CELL, overlap)
    count = math.ceil((length - overlap) / step)
    return [(i * step, min(i * step + step + overlap, length)) for i in range(count)]


def fade(span: tuple[int, int], length: int, overlap: int) -> Tensor:
    """Weight of every pixel of ``span``: 1, falling as a squared cosine to 0 where a neighbour takes over.

    The weights of all spans of `split` add up to 1 at every pixel.
    """
    start, stop = span
    weight = torch.ones(stop - start)
    place = (torch.arange(overlap) + 0.5 - MARGIN) / (overlap - 2 * MARGIN)
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
        tile: side of a tile in pixels, rounded down to a multiple of `CELL` (at least `SMALLEST`); it shrinks when
            memory runs out and stays so, what is finished is kept.
        overlap: pixels that neighbours share, a multiple of `CELL`.
        batch: tiles of equal size that go through the network together.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], tile: int, overlap: int = OVERLAP, batch: int = 1) -> None:
        self.network = network
        self.tile = max(tile // CELL * CELL, SMALLEST)
        self.overlap = overlap
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
            store: takes finished lines: the number of the first one, and a CPU tensor (3, lines, width).
            progress: called with tiles done and tiles in all.

        Raises:
            AdairError: even the smallest tile does not fit into memory.
        """
        rows, columns = (split(side, self.tile, self.overlap) for side in (height, width))
        overlap, carried, done = self.overlap, torch.empty(0), 0
        fades = [fade(column, width, overlap) for column in columns]
        for top, bottom in rows:
            strip = torch.zeros(3, bottom - top, width)
            for group in _equal_groups(columns, self.batch):
                tiles = [fetch(top, *columns[i][:1], bottom, columns[i][1]) for i in group]
                for i, restored in zip(group, self._restore(torch.cat(tiles)), strict=True):
                    left, right = columns[i]
                    strip[:, :, left:right].addcmul_(restored.float().cpu(), fades[i])
                done += len(group)
                if progress:
                    progress(done, len(rows) * len(columns))
            strip *= fade((top, bottom), height, overlap)[:, None]
            if top > 0:
                strip[:, :overlap] += carried
            if bottom < height:
                carried = strip[:, -overlap:].clone()
                strip = strip[:, :-overlap]
            store(top, strip)

    def _restore(self, tiles: Tensor) -> Tensor:
        """Restore (N, 3, H, W); when that does not fit into memory, one by one, then in smaller pieces."""
        fits = max(tiles.shape[-2:]) <= self.tile
        restored = self._attempt(tiles) if fits else None
        if restored is not None:
            return restored
        if len(tiles) > 1:
            self.batch = 1
            return torch.cat([self._restore(tile[None]).cpu() for tile in tiles])
        height, width = tiles.shape[-2:]
        if fits:
            if self.tile <= SMALLEST or max(height, width) <= SMALLEST:
                raise AdairError(
                    f"not enough memory to restore even {width}x{height} pixels at once; close other programs, "
                    "or use a smaller model or another --device"
                )
            self.tile = max(min(self.tile, max(height, width)) // 2 // CELL * CELL, SMALLEST)
        result = torch.empty(3, height, width)

        def store(top: int, lines: Tensor) -> None:
            result[:, top : top + lines.shape[1]] = lines

        self.run(height, width, lambda top, left, bottom, right: tiles[..., top:bottom, left:right], store)
        return result[None]

    def _attempt(self, tiles: Tensor) -> Tensor | None:
        """The network's output, or None when memory ran out (returning first lets go of what the failure held)."""
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
    """Whether ``error`` says that memory ran out, on whatever device."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    signs = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)


def _equal_groups(columns: list[tuple[int, int]], most: int) -> list[list[int]]:
    """Numbers of neighbouring columns of one width, at most ``most`` together."""
    groups: list[list[int]] = []
    for i, (left, right) in enumerate(columns):
        last = groups[-1] if groups else []
        same = last and columns[last[0]][1] - columns[last[0]][0] == right - left
        if same and len(last) < most:
            last.append(i)
        else:
            groups.append([i])
    return groups
