"""Descriptions of public datasets, and the location of their images in a data folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Remote:
    """A file to download: a zip, a tar, a tar.gz, or one image.

    Args:
        addresses: where it is, http or https; the first that answers is used.
        take: pairs (regular expression, template). A member of the archive whose whole name matches goes where the
            template says, relative to the data folder; a member that no expression matches is left out.
        size: bytes as the publisher states them, perhaps rounded; None if unknown. A download that is
            more than a tenth larger is refused.
        checksum: ``sha256:...`` or ``md5:...`` as published; None if unknown. Then that of the first download is
            recorded next to the data, and every later download must match it.
    """

    addresses: tuple[str, ...]
    take: tuple[tuple[str, str], ...]
    size: int | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A set of images.

    Args:
        name: also the folder that it has under a data folder.
        purpose: whether it measures or trains.
        about: one line for people.
        images: images in each of ``parts``.
        licence: in the words of its makers, as far as they say.
        address: page that describes it.
        remotes: the files that it is made from.
        parts: folders of images below its own, for example ``input`` and ``target``; none where it holds them itself.
    """

    name: str
    purpose: Literal["test", "train"]
    about: str
    images: int
    licence: str
    address: str
    remotes: tuple[Remote, ...]
    parts: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Its folder, relative to the data folder."""
        return self.name

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that hold its images, relative to the data folder."""
        return tuple(f"{self.name}/{part}" for part in self.parts) or (self.name,)

    @property
    def size(self) -> int | None:
        """Bytes to download, about; None where it is not known."""
        sizes = [remote.size for remote in self.remotes if remote.size is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.remotes) else None

    @property
    def advice(self) -> str:
        """How to get it, as one line without a full stop; DIR stands for the data folder."""
        places = " and ".join(f"DIR/{folder}" for folder in self.folders)
        return f"adair data fetch {self.name} --into DIR, or put its images into {places}"

    def count(self, root: Path) -> int | None:
        """Images that each of its folders below ``root`` holds, the smallest number; None where a folder is missing."""
        folders = [root / folder for folder in self.folders]
        if not all(folder.is_dir() for folder in folders):
            return None
        return min(sum(path.suffix.lower() in EXTENSIONS for path in folder.iterdir()) for folder in folders)
