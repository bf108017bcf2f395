"""How an image is restored: options that are checked when they are created."""

from __future__ import annotations

from dataclasses import dataclass

from adair.errors import InputError
from adair.restore.mask import Mask
from adair.restore.tasks import TaskSpec


@dataclass(frozen=True)
class RestoreOptions:
    """What to do with an image.

    Attributes:
        task: what to undo: a name, a blend, a sequence, or "auto"; see `parse_task`. Names are checked by the restorer,
            which knows its adapters.
        scale: 2, 3 or 4, only for "sr", which enlarges twice by default; 1 if the image was enlarged before
            and should keep its size.
        strength: how much of the whole correction is applied, 0 to 1: the result is the mix
            ``image + strength * (restored - image)`` of every pixel. 0 returns the image itself (for "sr" its bicubic
            enlargement) without running the network.
        luma, colour: how much of the correction of brightness and of colour is applied, 0 to 1 each, on top of
            ``strength``: the parts of a pixel's change in Y'CbCr (ITU-R BT.601, as in JPEG) of the stored values. With
            ``colour=0`` Cb and Cr do not change, with ``luma=0`` Y' does not. Gray images have luma only.
        mask: where the image may change (see `Mask`): white is restored, black stays bit-identical. It has the size of
            the image; if "sr" enlarges the image, the mask is enlarged too.
        tile: side in pixels of the square tiles for large images, raised to 128 and rounded down to a multiple of 32:
            64, 128 and 150 are the same. None chooses it by free memory, 0 restores the whole image at once.
        ensemble: restore every tile in all eight flips and rotations and average: slightly better, and eight
            times as long.

    Raises:
        InputError: a strength, luma or colour outside 0 to 1, a tile that is negative or no integer, or a mask that
            cannot be read.
    """

    task: TaskSpec
    scale: int | None = None
    strength: float = 1.0
    tile: int | None = None
    ensemble: bool = False
    luma: float = 1.0
    colour: float = 1.0
    mask: Mask | None = None

    def __post_init__(self) -> None:
        for name in ("strength", "luma", "colour", "tile", "scale"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise InputError(f"{name} {value!r} is not a number")
        for name in ("strength", "luma", "colour"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} {getattr(self, name)} is outside 0..1; 1 applies the whole correction")
        if self.tile is not None and not isinstance(self.tile, int):
            raise InputError(f"tile {self.tile} is not a whole number; give a side in pixels, or 0 for no tiles")
        if self.tile is not None and self.tile < 0:
            raise InputError(f"tile {self.tile} is negative; give a side in pixels, or 0 for no tiles")

    @property
    def changes_nothing(self) -> bool:
        """Whether no pixel changes, whatever the network returns."""
        return self.strength == 0 or self.luma == self.colour == 0

    @property
    def whole(self) -> bool:
        """Whether every pixel becomes what the network returns."""
        return self.strength == self.luma == self.colour == 1 and self.mask is None
