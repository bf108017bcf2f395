"""Restoring images: files in and out, tiles, and the object that a user holds."""

from adair.restore.images import ImageFile, read_image, write_image
from adair.restore.restorer import Restorer
from adair.restore.tasks import FOUNDATION, SCALES, parse_task

__all__ = ["FOUNDATION", "SCALES", "ImageFile", "Restorer", "parse_task", "read_image", "write_image"]
