"""Learning from degraded images alone: two views of one noisy image whose noise is independent.

Noise2Noise (Lehtinen et al., arXiv 1803.04189) needs two noisy copies; Neighbor2Neighbor (Huang et al., arXiv
2101.02824, section 4) and ZS-N2N (Mansour and Heckel, arXiv 2303.11253, section 3) take them from one image, as two
sets of neighbouring pixels. Here the input is every second pixel in both directions. The target, at the same positions,
is interpolated from the eight neighbours, none of which is in the input, with the kernel

    -1  2 -1
     2  .  2    / 4
    -1  2 -1

It is exact wherever the image is the sum of one that is constant along rows and one that is constant along columns
(straight edges, ramps). The regularisation by which those papers compensate for different positions is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adair.errors import AdairError
from adair.train.objectives import Batch
from adair.train.photos import PhotoStore, Pixels, decode_once, find_photos, read_photo, stamp

BLOCK = 16  # pixels per side; noise is measured in the smoothest blocks
QUIET = 0.7  # levels of 255; less noise is not worth removing (rounding alone causes 0.29)
WHITE = -2 / 3  # correlation of neighbouring residuals for independent noise: (1, -2, 1) with itself, shifted
TOLERANCE = 0.1


@dataclass(frozen=True)
class SelfSupervised:
    """Noise2Noise within one image. Its noise must be independent between pixels, with zero mean.

    The loss is the mean square, which for a noisy target is minimised by the target's mean: the clean image.
    """

    shrinks = False

    def source_side(self, side: int) -> int:
        """Return 2 side + 1: every second pixel, and the neighbours of the first and last one."""
        return 2 * side + 1

    def pair(self, patches: Tensor, generator: torch.Generator) -> Batch:
        """Return (interpolated neighbours, every second pixel) of patches (N, 3, 2 side + 1, 2 side + 1)."""
        odd = patches[..., 1::2, 1::2]
        straight = patches[..., :-1:2, 1::2] + patches[..., 2::2, 1::2]
        straight = straight + patches[..., 1::2, :-1:2] + patches[..., 1::2, 2::2]
        rows = patches[..., :-1:2, :], patches[..., 2::2, :]
        corners = rows[0][..., :-1:2] + rows[0][..., 2::2] + rows[1][..., :-1:2] + rows[1][..., 2::2]
        return straight / 2 - corners / 4, odd.contiguous(memory_format=torch.channels_last)

    def loss(self, restored: Tensor, target: Tensor) -> Tensor:
        """Mean square of the difference."""
        return (restored - target).square().mean()

    def __str__(self) -> str:
        return "noisy images alone (pixels from their neighbours)"


@dataclass(frozen=True)
class NoiseFacts:
    """Properties of an image's noise, from the residuals that the kernel above leaves in smooth blocks.

    Attributes:
        sigma: standard deviation in levels of 255 (Immerkaer 1996, CVIU 64(2), in the smoothest blocks).
        along, across: correlation of neighbouring residuals; -2/3 for independent noise.
    """

    sigma: float
    along: float
    across: float

    @property
    def fault(self) -> str | None:
        """The reason why `SelfSupervised` cannot learn from such an image, or an empty string."""
        if self.sigma < QUIET:
            return f"has almost no noise (sigma {self.sigma:.1f} of 255)"
        if max(self.along, self.across) > WHITE + TOLERANCE or min(self.along, self.across) < WHITE - TOLERANCE:
            return (
                f"has noise that is correlated between pixels ({self.along:+.2f}, {self.across:+.2f}; independent "
                f"noise has {WHITE:.2f}), as after JPEG compression, resizing, demosaicing or denoising"
            )
        return None


@dataclass(frozen=True)
class NoisyPhoto:
    """A noisy image as a `Source` of a photo store; ``smallest_side`` is in pixels."""

    path: Path
    smallest_side: int

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name

    def read(self) -> tuple[Pixels, dict[str, Any]]:
        """Decode the image, if `SelfSupervised` can learn from its noise."""
        image = read_photo(self.path, smallest_side=self.smallest_side)
        found = noise_facts(image)
        if found.fault:
            raise AdairError(f"{self.path}: {found.fault}; learn from --pairs, or from clean --photos and a --recipe")
        return image, {"sigma": round(found.sigma, 2)}


def open_noisy(
    source: Path,
    cache: Path,
    side: int,
    exclude: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> PhotoStore:
    """Open the store of noisy images that `SelfSupervised` can learn from; the others are skipped, with the reason.

    Args:
        source: a folder, searched recursively, or one file.
        cache: folder for the decoded file.
        side: side of the largest patch that will be requested; images must be larger than one with its neighbours.
        exclude: stems of images to skip.
        progress: called with (done, all) after each image.

    Raises:
        AdairError: no image can be learnt from, or the cache cannot be written.
    """
    paths = [source] if source.is_file() else find_photos(source, exclude)
    smallest = SelfSupervised().source_side(side)
    facts = [("noisy", smallest, str(path), *stamp(path)) for path in paths]
    return decode_once([NoisyPhoto(path, smallest) for path in paths], 3, facts, cache, str(source), progress)


def noise_facts(image: Pixels) -> NoiseFacts:
    """Measure the noise of an image (height, width, 3), at least 32 pixels a side."""
    x = image.astype(np.float64)
    residual = np.diff(np.diff(x, 2, axis=0), 2, axis=1)  # (1, -2, 1) in both directions
    height, width = (side // BLOCK for side in residual.shape[:2])
    x = x[1 : 1 + height * BLOCK, 1 : 1 + width * BLOCK]
    cells = x.reshape(height, BLOCK // 4, 4, width, BLOCK // 4, 4, 3).mean(axis=(2, 5))
    rough = cells.std(axis=(1, 3)).mean(axis=-1).ravel()
    blocks = residual[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK, 3)
    blocks = blocks.transpose(0, 2, 1, 3, 4).reshape(-1, BLOCK, BLOCK, 3)
    means = cells.mean(axis=(1, 3)).reshape(-1, 3)
    usable = np.flatnonzero((means.min(axis=1) > 20) & (means.max(axis=1) < 235))  # nothing clipped
    if len(usable) < 4:  # an image that is dark or bright throughout
        usable = np.argsort(np.abs(means.mean(axis=1) - 127.5))[:4]
    chosen = blocks[usable[np.argsort(rough[usable])[: max(4, len(usable) // 8)]]]
    power = float(np.square(chosen).mean())
    along = float((chosen[:, :, 1:] * chosen[:, :, :-1]).mean()) / (power + 1e-12)
    across = float((chosen[:, 1:] * chosen[:, :-1]).mean()) / (power + 1e-12)
    return NoiseFacts((power / 36) ** 0.5, along, across)
