"""AdaIR: one frozen restoration network, one tiny file per task (arXiv 2404.11475).

Names are imported when first used, so ``import adair`` costs nothing.
"""

from typing import TYPE_CHECKING

from adair.errors import (
    AdairError,
    AdapterMismatchError,
    FileFormatError,
    InputError,
    Interrupted,
    NonFiniteOutputError,
    OutOfMemoryError,
    TooLargeError,
)
from adair.lazy import lazy_names

if TYPE_CHECKING:
    from adair.adapters import load_adapter
    from adair.degradations import degrade
    from adair.images import read_image, write_image
    from adair.restore import RestoreOptions, Restorer, restore_file
    from adair.train.adapt import adapt
    from adair.train.config import TrainConfig
    from adair.train.pretrain import pretrain
    from adair.video import restore_video
    from adair.weights import load_foundation

__version__ = "0.1.0"
__all__ = [
    "AdairError",
    "AdapterMismatchError",
    "FileFormatError",
    "InputError",
    "Interrupted",
    "NonFiniteOutputError",
    "OutOfMemoryError",
    "RestoreOptions",
    "Restorer",
    "TooLargeError",
    "TrainConfig",
    "__version__",
    "adapt",
    "degrade",
    "load_adapter",
    "load_foundation",
    "pretrain",
    "read_image",
    "restore_file",
    "restore_video",
    "write_image",
]

__getattr__ = lazy_names(
    __name__,
    {
        "RestoreOptions": "adair.restore",
        "Restorer": "adair.restore",
        "TrainConfig": "adair.train.config",
        "adapt": "adair.train.adapt",
        "degrade": "adair.degradations",
        "load_adapter": "adair.adapters",
        "load_foundation": "adair.weights",
        "pretrain": "adair.train.pretrain",
        "read_image": "adair.images",
        "restore_file": "adair.restore",
        "restore_video": "adair.video",
        "write_image": "adair.images",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
