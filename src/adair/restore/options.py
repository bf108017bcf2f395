"""How an image is restored, as one value that is checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from adair.errors import InputError
from adair.restore.tasks import TaskSpec


@dataclass(frozen=True)
class RestoreOptions:
    """What to do to an image.

    Attributes:
        task: what to undo: a name, a blend, a sequence, or "auto"; see `parse_task`. Names are checked by the restorer,
            which knows its adapters.
        scale: 2, 3 or 4, only for "sr", which enlarges twice unless told otherwise; 1 if the image was enlarged before
            and is to keep its size.
        strength: how much of the whole correction is applied, 0 to 1: the result is the mix
            ``image + strength * (restored - image)`` of every pixel. 0 returns the image itself (for "sr" its bicubic
            enlargement) without running the network.
        tile: side in pixels of the square tiles in which large images are restored; None chooses by the memory that is
            free, 0 restores the whole image at once.
        ensemble: restore every tile in all eight flips and quarter turns and take the mean: a little better, and eight
            times as long.

    Raises:
        InputError: a strength outside 0 to 1, or a negative tile.
    """

    task: TaskSpec
    scale: int | None = None
    strength: float = 1.0
    tile: int | None = None
    ensemble: bool = False

    def __post_init__(self) -> None:
        for name, value in (("strength", self.strength), ("tile", self.tile), ("scale", self.scale)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise InputError(f"{name} {value!r} is not a number")
        if not 0 <= self.strength <= 1:
            raise InputError(f"strength {self.strength} is outside 0..1; 1 applies the whole correction")
        if self.tile is not None and self.tile < 0:
            raise InputError(f"tile {self.tile} is negative; give a side in pixels, or 0 for no tiles")
