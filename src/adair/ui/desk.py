"""The state of the page that all visitors share: the restorer, a private folder, the limits, and running jobs."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from adair.images import FORMATS
from adair.images.image_file import result_suffix
from adair.restore import AUTO, FOUNDATION, FileOptions, RestoreOptions, Restorer
from adair.ui.config import UiConfig
from adair.ui.folder_queue import FolderQueue
from adair.ui.photo import Photo, open_photo
from adair.ui.work import Work
from adair.ui.workspace import Workspace, safe_stem

AS_SOURCE = "as the photo"


@dataclass(frozen=True, eq=False)
class Desk:
    """The state that all visitors share.

    Attributes:
        queue: batches of many photos.
        foundation: file of the restorer's foundation; None for the bundled one.
    """

    config: UiConfig
    restorer: Restorer
    workspace: Workspace
    queue: FolderQueue
    foundation: Path | None = None

    @property
    def turn(self) -> threading.Lock:
        """Held while a photo is being restored; several at a time would only slow each other down."""
        return self.queue.turn

    @property
    def tasks(self) -> list[str]:
        """The tasks that can be chosen."""
        return [AUTO, *self.restorer.tasks, FOUNDATION]

    def open(self, upload: str | os.PathLike[str]) -> Photo:
        """Read an upload.

        Raises:
            AdairError: not a file of the workspace, or not an image within the limits.
        """
        path = self.workspace.checked(upload)
        return open_photo(path, path.name, self.restorer, self.config.max_pixels)

    def work(self, photo: Photo, options: RestoreOptions, format: str = AS_SOURCE, quality: int = 95) -> Work:
        """Return the job that restores a whole photo, not yet started.

        Raises:
            InputError: options that do not fit together, or a result beyond the limits.
        """
        label = self.restorer.check(options)
        extension = result_suffix(photo.path.suffix.lower()) if format == AS_SOURCE else f".{format}"
        extension = extension if extension in FORMATS else ".png"
        target = self.workspace.new_file(f"{safe_stem(photo.name)}.{label}{extension}")
        files = FileOptions(int(quality), max_pixels=self.config.max_pixels)
        return Work(photo.path, target, options, files, self.restorer, self.turn)

    def view(self, name: str) -> Path:
        """Return a path for an image that the page shows."""
        return self.workspace.new_file(f"{name}.png")
