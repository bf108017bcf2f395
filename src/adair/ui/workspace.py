"""The page's private folder for uploads and results, deleted when the page ends."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path

from adair.errors import InputError
from adair.images.parts import is_alive

PREFIX = "adair-ui-"
LONGEST_STEM = 80  # characters; file systems allow 255 bytes, and a label is appended
_OURS = re.compile(rf"{PREFIX}(\d+)-.+")


class Workspace:
    """A private folder of this process; a context manager that deletes it, and the folders of killed processes.

    Args:
        parent: where it is created; None for the system's folder for temporary files.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        _sweep(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)).resolve()  # mode 0700

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def uploads(self) -> Path:
        """The folder for uploads."""
        folder = self.folder / "uploads"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def new_file(self, name: str) -> Path:
        """Return a path in a new folder with an unguessable name.

        Args:
            name: chosen by this program, never by a browser.
        """
        folder = self.uploads / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        return folder / name

    def checked(self, path: str | os.PathLike[str]) -> Path:
        """Return the path of an upload.

        Raises:
            InputError: it leads outside the workspace, even through links, or is not a file.
        """
        try:
            real = Path(path).resolve()
            inside = real.is_relative_to(self.folder) and real.is_file()
        except (OSError, ValueError):
            inside = False
        if not inside:
            raise InputError("the upload no longer exists; drop the photo again")
        return real


def safe_stem(name: str) -> str:
    """Return a file name stem that is safe on every system, from a name that a browser sent.

    >>> safe_stem("../../etc/passwd"), safe_stem("Trip – day 1.JPG"), safe_stem("nul")
    ('passwd', 'Trip_day_1', '_nul')
    """
    last = re.split(r"[/\\]", name)[-1]
    stem = re.sub(r"[^\w-]+", "_", last.rpartition(".")[0] or last).strip("_")[:LONGEST_STEM] or "photo"
    reserved = re.fullmatch(r"(?i:con|prn|aux|nul|com\d|lpt\d)", stem)
    return f"_{stem}" if reserved else stem


def _sweep(parent: Path) -> None:
    """Delete workspaces of processes that have ended."""
    with contextlib.suppress(OSError):
        for folder in parent.iterdir():
            found = _OURS.fullmatch(folder.name)
            if found and not folder.is_symlink() and not is_alive(int(found[1])) and _mine(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _mine(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
