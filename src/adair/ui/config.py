"""The settings and limits of the page, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adair.addresses import is_loopback
from adair.errors import InputError

MOST_FOLDERS = 100


@dataclass(frozen=True)
class UiConfig:
    """How the page runs.

    Attributes:
        host: address to listen on; addresses other than loopback can be reached from other machines.
        port: 0 lets the system choose one.
        max_megabytes: limit of one upload.
        max_megapixels: limit of one image, before and after enlarging.
        queue: largest number of waiting clicks.
        folders: the only folders outside its own that the page reads and writes. The page refers to them by number, so
            that no text from a browser is ever used as a path.

    Raises:
        InputError: a limit that is not positive, a port outside 0..65535, a folder that is not one.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    max_megabytes: float = 200.0
    max_megapixels: float = 100.0
    queue: int = 16
    folders: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_megabytes", "max_megapixels", "queue"):
            value = getattr(self, name)
            if not 0 < value < 1e6:
                raise InputError(f"{name} {value:g}: must be above 0 and below a million")
        if not 0 <= self.port <= 65535:
            raise InputError(f"port {self.port} is outside 0..65535; 7860 is usual")
        if len(self.folders) > MOST_FOLDERS:
            raise InputError(f"{len(self.folders)} folders are more than {MOST_FOLDERS}; give their common parent")
        for folder in self.folders:
            if not folder.is_dir():
                raise InputError(f"{folder}: is not a folder; give folders with photos")

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can reach the page."""
        return is_loopback(self.host)

    @property
    def max_pixels(self) -> int:
        """The limit of one image, in pixels."""
        return int(self.max_megapixels * 1e6)
