"""Restoring images: files in and out, tiles, and the object that a user holds."""

from adair.restore.images import ImageFile, read_image, write_image
from adair.restore.options import RestoreOptions
from adair.restore.restorer import Restoration, Restorer
from adair.restore.tasks import AUTO, FOUNDATION, SCALES, parse_task

__all__ = [
    "AUTO",
    "FOUNDATION",
    "SCALES",
    "ImageFile",
    "Restoration",
    "RestoreOptions",
    "Restorer",
    "parse_task",
    "read_image",
    "write_image",
]
