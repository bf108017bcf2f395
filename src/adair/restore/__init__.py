"""Restoring images: files in and out, tiles, and the object that a user holds."""

from adair.images import ImageFile, read_image, write_image
from adair.restore.options import RestoreOptions
from adair.restore.restorer import Restoration, Restorer
from adair.restore.runner import Outcome, Runner
from adair.restore.single import FileOptions, FileResult, restore_file
from adair.restore.tasks import AUTO, FOUNDATION, SCALES, parse_task

__all__ = [
    "AUTO",
    "FOUNDATION",
    "SCALES",
    "FileOptions",
    "FileResult",
    "ImageFile",
    "Outcome",
    "Restoration",
    "RestoreOptions",
    "Restorer",
    "Runner",
    "parse_task",
    "read_image",
    "restore_file",
    "write_image",
]
