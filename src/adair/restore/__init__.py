"""Restoring images: files in and out, tiles, and the object that a user holds.

Names are imported when first used, because restoring with a prepared graph does not need PyTorch.
"""

from typing import TYPE_CHECKING

from adair.lazy import lazy_names

if TYPE_CHECKING:
    from adair.images import ImageFile, read_image, write_image
    from adair.restore.options import RestoreOptions
    from adair.restore.restoration import Restoration
    from adair.restore.restorer import Restorer
    from adair.restore.runner import Outcome, Runner
    from adair.restore.single import FileOptions, FileResult, restore_file
    from adair.restore.tasks import AUTO, SCALES, parse_task
    from adair.tasks import FOUNDATION

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

__getattr__ = lazy_names(
    __name__,
    {
        "AUTO": "adair.restore.tasks",
        "FOUNDATION": "adair.tasks",
        "SCALES": "adair.restore.tasks",
        "FileOptions": "adair.restore.single",
        "FileResult": "adair.restore.single",
        "ImageFile": "adair.images",
        "Outcome": "adair.restore.runner",
        "Restoration": "adair.restore.restoration",
        "RestoreOptions": "adair.restore.options",
        "Restorer": "adair.restore.restorer",
        "Runner": "adair.restore.runner",
        "parse_task": "adair.restore.tasks",
        "read_image": "adair.images",
        "restore_file": "adair.restore.single",
        "write_image": "adair.images",
    },
)
