"""Random patches of the photos, cut in one go where the photos lie: in main memory, or on a GPU if they fit there."""

from __future__ import annotations

import torch
from torch import Tensor

from adair.hardware import memory_available
from adair.train.photos import PhotoStore

TRIES = 4  # patches of which a textured one is the best
_GPU_SHARE = 0.5  # of a GPU's free memory, how much photos may take

# The eight ways to turn and flip a square: the row and the column that pixel (i, j) of a turned patch comes from, as
# the factors of i, of j, and of the last index. Four quarter turns, then the same flipped left to right.
_QUARTERS = (((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (-1, 0, 1)), ((-1, 0, 1), (0, -1, 1)), ((0, -1, 1), (1, 0, 0)))
_TURNS = (*_QUARTERS, *(tuple((i, -j, last + j) for i, j, last in quarter) for quarter in _QUARTERS))


class Patches:
    """Draws square patches with random flips and quarter turns.

    Photos are drawn in proportion to their pixels, so that every pixel counts alike.

    Args:
        photos: where to cut.
        device: where patches are wanted.
        texture: share of the patches that are the most textured of a few: what is hard to restore comes more often.

    Attributes:
        resident: whether the photos lie on ``device`` itself. If not, patches are cut in main memory and sent.
    """

    def __init__(self, photos: PhotoStore, device: torch.device, texture: float = 0.0) -> None:
        self.photos, self.device, self.texture = photos, device, texture
        pixels = torch.from_numpy(photos.pixels).view(-1, photos.channels)
        fits = device.type == "cuda" and pixels.nbytes <= _GPU_SHARE * memory_available(device)
        self.resident = fits or device.type == "cpu"
        self._pixels = pixels.to(device) if fits else pixels
        self._areas = torch.tensor([float(height * width) for height, width in photos.shapes])

    def draw(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """Return (count, channels, side, side) patches, float in 0..1, channels last in memory.

        Args:
            count: number of patches.
            side: of a patch in pixels; a photo that is smaller is mirrored at its borders.
            generator: source of randomness, on the CPU.
        """
        textured = round(self.texture * count)
        places = self._places(count + textured * (TRIES - 1), side, generator)
        if self.resident:
            pixels = self._best(self._cut(self._send(places), side), textured)
        else:
            pixels = self._send(self._best(self._cut(places, side), textured))
        return pixels.permute(0, 3, 1, 2).to(torch.float32).div_(255)

    def _places(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """Where to cut, (11, count) whole numbers.

        The photo's first pixel, height and width, the patch's top and left, and six that turn it: see `_TURNS`.
        """
        chosen = torch.multinomial(self._areas, count, replacement=True, generator=generator).tolist()
        places = torch.rand((count, 2), generator=generator).tolist()
        turns = torch.randint(8, (count,), generator=generator).tolist()
        rows = []
        for index, (v, h), turn in zip(chosen, places, turns, strict=True):
            height, width = self.photos.shapes[index]
            top, left = int(v * max(1, height - side + 1)), int(h * max(1, width - side + 1))
            first = self.photos.offsets[index] // self.photos.channels
            rows.append((first, height, width, top, left, *_TURNS[turn][0], *_TURNS[turn][1]))
        return torch.tensor(rows).T.contiguous()

    def _cut(self, places: Tensor, side: int) -> Tensor:
        """(count, side, side, channels) uint8 on the device of ``places``, where the pixels must be."""
        first, height, width, top, left, *turn = places.view(11, -1, 1, 1).unbind()
        along = torch.arange(side, device=places.device)
        down = along.view(-1, 1)
        row = _mirrored(top + turn[0] * down + turn[1] * along + turn[2] * (side - 1), height)
        column = _mirrored(left + turn[3] * down + turn[4] * along + turn[5] * (side - 1), width)
        index = first + row * width + column
        return self._pixels.index_select(0, index.flatten()).view(*index.shape, self.photos.channels)

    def _best(self, pixels: Tensor, textured: int) -> Tensor:
        """Of each of the first ``textured`` groups of `TRIES` patches the most textured one, and all of the rest."""
        if not textured:
            return pixels
        everyone = torch.arange(len(pixels), device=pixels.device)
        tries, rest = everyone.split([textured * TRIES, len(pixels) - textured * TRIES])
        texture = _texture(pixels[: len(tries)]).view(textured, TRIES)
        return pixels.index_select(0, torch.cat([tries[::TRIES] + texture.argmax(dim=1), rest]))

    def _send(self, values: Tensor) -> Tensor:
        """To the device, without waiting for it."""
        if self.device.type != "cuda":
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)


def _mirrored(index: Tensor, size: Tensor) -> Tensor:
    """Fold indices beyond the last pixel back: .. n-2 n-1 | n-1 n-2 .., and so on."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


def _texture(pixels: Tensor) -> Tensor:
    """Mean square of the differences between neighbours in green of (N, side, side, channels), (N,)."""
    green = pixels[..., 1].float()
    return green.diff(dim=1).square_().mean(dim=(1, 2)) + green.diff(dim=2).square_().mean(dim=(1, 2))
