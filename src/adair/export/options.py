"""What to export: options that are checked when they are created."""

from __future__ import annotations

from dataclasses import dataclass

from adair.errors import InputError
from adair.restore.tasks import TaskSpec

SIZES = (256, 512)  # of a fixed tile


@dataclass(frozen=True)
class ExportOptions:
    """What to export.

    Attributes:
        task: a name, a blend, or a sequence, as for `Restorer.restore`; every step of a sequence is part of the one
            file.
        scale: 2, 3 or 4, only for "sr", whose file then enlarges itself; 1 for images that were enlarged before.
        size: side of the only square input that the file takes, a multiple of 32 from 64 to 2048; None for a file that
            takes any size. Some accelerators want the former.
        half: store weights as float16: half the file, and arithmetic stays in float32.

    Raises:
        InputError: a size that is not offered.
    """

    task: TaskSpec
    scale: int | None = None
    size: int | None = None
    half: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and (self.size not in range(64, 2049) or self.size % 32):
            raise InputError(f"size {self.size}: give a multiple of 32 from 64 to 2048, such as 256 or 512, or none")
