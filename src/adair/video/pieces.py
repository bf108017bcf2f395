"""Finished parts of a video: pieces next to the result, so that a stopped run resumes with the next one."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from adair.images.files import write_whole

LENGTH = 120  # frames of a piece: the most that a killed run loses; every piece starts with a key frame
NOTE = "settings.json"
_OURS = re.compile(rf"\d{{6}}\.mkv|{re.escape(NOTE)}|\.adair-.*\.part")


@dataclass(frozen=True)
class Pieces:
    """The pieces of one result: each has `LENGTH` frames, the last one perhaps fewer.

    Attributes:
        target: the result; the hidden folder of pieces is next to it.
        mark: a hash of everything that determines the pieces; pieces with another mark are deleted.
    """

    target: Path
    mark: str

    @property
    def folder(self) -> Path:
        """The folder of pieces until the result is written."""
        return self.target.with_name(f".{self.target.name}.adair")

    def prepare(self) -> int:
        """Create the folder, delete useless files in it, and return how many pieces are finished."""
        try:
            same = json.loads((self.folder / NOTE).read_text(encoding="utf-8")) == {"mark": self.mark}
        except (OSError, ValueError):
            same = False
        if not same:
            self.remove()
            write_whole(self.folder / NOTE, json.dumps({"mark": self.mark}).encode())
        return len(self.finished())

    def path(self, number: int) -> Path:
        """Return the file of a piece, counted from 0."""
        return self.folder / f"{number:06}.mkv"

    def finished(self) -> list[Path]:
        """Return the existing pieces, up to the first missing one."""
        paths: list[Path] = []
        while self.path(len(paths)).exists():
            paths.append(self.path(len(paths)))
        return paths

    def remove(self) -> None:
        """Delete the pieces, what runs that were killed left of others, and the folder."""
        for path in self.folder.glob("*"):
            if _OURS.fullmatch(path.name):
                path.unlink()
        with contextlib.suppress(OSError):
            self.folder.rmdir()
