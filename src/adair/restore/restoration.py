"""The interface of whatever restores files; importing it does not import PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from adair.images import ImageFile
    from adair.inspect import Advice
    from adair.restore.options import RestoreOptions

Picture = TypeVar("Picture")

Progress = Callable[[int, int], None]
"""Called after every tile with the number of tiles done and the total; an exception raised in it ends the work."""


@dataclass(frozen=True)
class Restoration(Generic[Picture]):
    """A restored image and how it came about.

    Attributes:
        image: of the same kind as the input; the same object if there was nothing to do.
        advice: what task "auto" found, one for each image; empty for other tasks.
    """

    image: Picture
    advice: tuple[Advice, ...]


class FileRestorer(Protocol):
    """What restores files: `Restorer`, or a network that was prepared earlier (`prepared`)."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """See `Restorer.tasks`."""

    def check(self, options: RestoreOptions) -> str:
        """See `Restorer.check`."""

    def mark(self, options: RestoreOptions) -> str:
        """See `Restorer.mark`."""

    def run(
        self, image: ImageFile, options: RestoreOptions, progress: Progress | None = None
    ) -> Restoration[ImageFile]:
        """See `Restorer.run`."""
