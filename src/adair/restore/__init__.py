"""Restoring images: files in and out, tiles, and the object that a user holds.

Names are imported when first used: what restores files with a prepared graph needs no PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adair.images import ImageFile, read_image, write_image
    from adair.restore.options import RestoreOptions
    from adair.restore.restoration import Restoration
    from adair.restore.restorer import Restorer
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

_HOMES = {
    "AUTO": "tasks",
    "FOUNDATION": "tasks",
    "SCALES": "tasks",
    "FileOptions": "single",
    "FileResult": "single",
    "Outcome": "runner",
    "Restoration": "restoration",
    "RestoreOptions": "options",
    "Restorer": "restorer",
    "Runner": "runner",
    "parse_task": "tasks",
    "restore_file": "single",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'adair.restore' has no attribute {name!r}")
    home = f"adair.restore.{_HOMES[name]}" if name in _HOMES else "adair.images"
    value = globals()[name] = getattr(import_module(home), name)
    return value
