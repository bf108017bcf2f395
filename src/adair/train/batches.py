"""Batches: random patches of the photos, turned into inputs and targets; all follow from the step number.

All patches of a batch are cut at once where the photos are: in main memory, or on a GPU if they fit there.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from adair.hardware import memory_available
from adair.train.objectives import Batch, Objective
from adair.train.photos import PhotoStore

TRIES = 4  # random patches from which the most textured one is chosen
SHRUNK_SIDE = 320  # smallest shorter side, in pixels, of a reduced photo
_GPU_SHARE = 0.5  # fraction of a GPU's free memory that photos may take

# The eight rotations and flips of a square: the source row and column of pixel (i, j) of a rotated patch, as the
# factors of i, of j, and of the last index. Four quarter turns, then the same flipped left to right.
_QUARTERS = (((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (-1, 0, 1)), ((-1, 0, 1), (0, -1, 1)), ((0, -1, 1), (1, 0, 0)))
_TURNS = (*_QUARTERS, *(tuple((i, -j, last + j) for i, j, last in quarter) for quarter in _QUARTERS))


class Patches:
    """Draws square patches with random flips and quarter turns.

    Every photo is equally likely, whatever its size. Weighted by pixels, a few large photos, which are smooth from one
    pixel to the next, would dominate.

    Args:
        photos: the photos to cut patches from.
        device: the device of the patches.
        texture: fraction of the patches that are the most textured of a few: difficult patches become more frequent.
        shrink: large photos are also used up to this many times smaller, which gives them the detail from pixel to
            pixel that small photos have; 1 uses them only at full size.

    Attributes:
        resident: whether the photos are on ``device`` itself; if not, patches are cut in main memory and copied.
    """

    def __init__(self, photos: PhotoStore, device: torch.device, texture: float = 0.0, shrink: int = 1) -> None:
        self.photos, self.device, self.texture = photos, device, texture
        pixels = torch.from_numpy(photos.pixels).view(-1, photos.channels)
        fits = device.type == "cuda" and pixels.nbytes <= _GPU_SHARE * memory_available(device)
        self.resident = fits or device.type == "cpu"
        self._pixels = pixels.to(device) if fits else pixels
        self._factors = [max(1, min(shrink, min(shape) // SHRUNK_SIDE)) for shape in photos.shapes]

    def draw(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """Return (count, channels, side, side) patches, float in 0..1, channels last in memory.

        Args:
            count: number of patches.
            side: side of a patch in pixels; a smaller photo is mirrored at its borders.
            generator: source of randomness, on the CPU.
        """
        textured = round(self.texture * count)
        groups, order = self._places(count + textured * (TRIES - 1), side, generator)
        if self.resident:
            sent = {factor: self._send(places) for factor, places in groups.items()}
            pixels = self._best(self._cut_all(sent, side, self._send(order)), textured)
        else:
            pixels = self._send(self._best(self._cut_all(groups, side, order), textured))
        return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)

    def _places(self, count: int, side: int, generator: torch.Generator) -> tuple[dict[int, Tensor], Tensor]:
        """Return where to cut: (11, patches) integers for each reduction factor, and each patch's place among them.

        These are the photo's first pixel, height and width, the patch's top and left, and six of `_TURNS`.
        """
        chosen = torch.randint(len(self.photos), (count,), generator=generator).tolist()
        places = torch.rand((count, 3), generator=generator).tolist()
        turns = torch.randint(8, (count,), generator=generator).tolist()
        rows: dict[int, list[tuple[int, ...]]] = {}
        numbers: dict[int, list[int]] = {}
        for number, (index, (down, across, smaller), turn) in enumerate(zip(chosen, places, turns, strict=True)):
            factor = 1 + int(smaller * self._factors[index])
            height, width = self.photos.shapes[index]
            top = int(down * max(1, height - side * factor + 1))
            left = int(across * max(1, width - side * factor + 1))
            first = self.photos.offsets[index] // self.photos.channels
            rows.setdefault(factor, []).append((first, height, width, top, left, *_TURNS[turn][0], *_TURNS[turn][1]))
            numbers.setdefault(factor, []).append(number)
        order = torch.tensor([number for group in numbers.values() for number in group]).argsort()
        return {factor: torch.tensor(group).T.contiguous() for factor, group in rows.items()}, order

    def _cut_all(self, groups: dict[int, Tensor], side: int, order: Tensor) -> Tensor:
        """Return (count, side, side, channels) uint8: the patches of all groups, in the order of drawing."""
        cut = [_shrunk(self._cut(places, side * factor), factor) for factor, places in groups.items()]
        return torch.cat(cut).index_select(0, order)

    def _cut(self, places: Tensor, side: int) -> Tensor:
        """Return (count, side, side, channels) uint8 on the device of ``places``, which must hold the pixels."""
        first, height, width, top, left, *turn = places.view(11, -1, 1, 1).unbind()
        along = torch.arange(side, device=places.device)
        down = along.view(-1, 1)
        row = _mirrored(top + turn[0] * down + turn[1] * along + turn[2] * (side - 1), height)
        column = _mirrored(left + turn[3] * down + turn[4] * along + turn[5] * (side - 1), width)
        index = first + row * width + column
        return self._pixels.index_select(0, index.flatten()).view(*index.shape, self.photos.channels)

    def _best(self, pixels: Tensor, textured: int) -> Tensor:
        """Return the most textured patch of each of the first ``textured`` groups of `TRIES`, and all other patches."""
        if not textured:
            return pixels
        everyone = torch.arange(len(pixels), device=pixels.device)
        tries, rest = everyone.split([textured * TRIES, len(pixels) - textured * TRIES])
        texture = _texture(pixels[: len(tries)]).view(textured, TRIES)
        return pixels.index_select(0, torch.cat([tries[::TRIES] + texture.argmax(dim=1), rest]))

    def _send(self, values: Tensor) -> Tensor:
        """Copy to the device without waiting for it."""
        if self.device.type != "cuda":
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)


class Batches:
    """Makes the batch of any step; the same step gives the same batch, in every run and with any number of processes.

    On a GPU with room for the photos, patches are cut and degraded there, and nothing waits for it. Without room, a
    second thread cuts them in main memory and copies them, one step ahead.

    Args:
        photos: the photos to cut patches from.
        objective: what is learnt.
        count: patches in a batch, over all processes. Each process draws all of them and uses its share, so that the
            result does not depend on the number of processes.
        seed: determines every patch and degradation, together with the step.
        device: the device of the batches.
        share: (this process, processes): which part of every batch is made here.
        texture: fraction of the patches that are the most textured of a few (see `Patches`).
        shrink: large photos are also used up to this many times smaller, if the objective allows it (see `Patches`).
        ahead: make the next batch in a second thread during a step; None does so if the step would wait for it.
    """

    def __init__(
        self,
        photos: PhotoStore,
        objective: Objective,
        count: int,
        seed: int,
        device: torch.device,
        share: tuple[int, int] = (0, 1),
        texture: float = 0.0,
        shrink: int = 1,
        ahead: bool | None = None,
    ) -> None:
        self.objective, self.count, self.seed = objective, count, seed
        self.patches = Patches(photos, device, texture, shrink if self.objective.shrinks else 1)
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
        # One generator per step, seeded by the step: a resumed run sees the same data, and data can be made ahead.
        generator = torch.Generator().manual_seed(
            (self.seed * 1_000_003 + step) % 2**64
        )  # which is all that torch takes
        patches = self.patches.draw(self.count, self.objective.source_side(side), generator)
        target, degraded = self.objective.pair(patches, generator)
        return target[self.part], degraded[self.part]


def _settle(device: torch.device) -> None:
    """Select the GPU of this thread; new threads start with the first one, whichever the process uses."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def _mirrored(index: Tensor, size: Tensor) -> Tensor:
    """Fold indices beyond the last pixel back: .. n-2 n-1 | n-1 n-2 .., and so on."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def _shrunk(pixels: Tensor, factor: int) -> Tensor:
    """Return the means of squares of ``factor`` pixels per side, from (N, height, width, channels) uint8."""
    if factor == 1:
        return pixels
    count, height, width, channels = pixels.shape
    squares = pixels.view(count, height // factor, factor, width // factor, factor, channels)
    return squares.float().mean(dim=(2, 4)).round_().to(torch.uint8)


def _texture(pixels: Tensor) -> Tensor:
    """Return the mean squared difference of neighbours in the green channel, (N,), from (N, side, side, channels)."""
    green = pixels[..., 1].float()
    return green.diff(dim=1).square_().mean(dim=(1, 2)) + green.diff(dim=2).square_().mean(dim=(1, 2))
