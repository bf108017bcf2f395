"""Rows of results, and the file that keeps them: whole after every row, so that a run can go on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from adair.bench.case import Kind
from adair.errors import AdairError
from adair.images.files import write_whole


@dataclass(frozen=True)
class Row:
    """What one method reached in one setting.

    Attributes:
        suite, dataset, setting, method: what was measured.
        psnr, ssim: means over the images, in dB and up to 1; None where they cannot be given.
        protocol: how it was measured; of a published figure, where it stands.
        images: how many images.
        seconds_per_megapixel: time of restoring, of the result's pixels; see `Meter`.
        peak_mb: most memory that restoring took, see `Meter`.
        published: whether the figure was copied from a paper instead of measured.
        kind: "input", "ours", "peer" or "published".
        limit: at most so many images were wanted; None for all.
        present: how many the test set had; with more or fewer of them a row is measured again.
        version: code or weights of the method.
        note: what the method was told, and its licence.
        machine: what measured.
    """

    suite: str
    dataset: str
    setting: str
    method: str
    psnr: float | None
    ssim: float | None
    protocol: str
    images: int | None = None
    seconds_per_megapixel: float | None = None
    peak_mb: float | None = None
    published: bool = False
    kind: Kind | Literal["published"] = "ours"
    limit: int | None = None
    present: int | None = None
    version: str = ""
    note: str = ""
    machine: str = ""

    @property
    def place(self) -> tuple[object, ...]:
        """Where the row belongs: a newer one of the same place replaces it, but a published one no measured one."""
        return self.suite, self.dataset, self.setting, self.method, self.published, self.limit

    @property
    def identity(self) -> tuple[object, ...]:
        """What was measured exactly: a row with the same identity need not be measured again."""
        return *self.place, self.protocol, self.present, self.version


class Journal:
    """Rows by identity, kept in a JSON file (a list of objects) if there is one.

    Args:
        path: the file; None keeps rows in memory only.
        fresh: forget what the file holds.

    Raises:
        AdairError: a file that holds something else.
    """

    def __init__(self, path: Path | None, fresh: bool = False) -> None:
        self.path = path
        self._rows = {} if fresh or path is None else {row.place: row for row in read_rows(path)}

    def find(self, like: Row) -> Row | None:
        """The row that measured just what ``like`` would measure, if there is one."""
        row = self._rows.get(like.place)
        return row if row is not None and row.identity == like.identity else None

    def elsewhere(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of other tools that were measured just as ``rows``, in an earlier run that had them at hand."""
        same = {(row.suite, row.dataset, row.setting, row.limit, row.protocol, row.present) for row in rows}
        known = {row.place for row in rows}
        return [
            row
            for row in self._rows.values()
            if row.kind == "peer"
            and row.place not in known
            and (row.suite, row.dataset, row.setting, row.limit, row.protocol, row.present) in same
        ]

    def add(self, rows: Iterable[Row]) -> None:
        """Keep rows; the file is whole before and after."""
        self._rows.update((row.place, row) for row in rows)
        if self.path is not None:
            text = ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in self._rows.values())
            write_whole(self.path, f"[\n{text}\n]\n".encode())


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Read the rows of a JSON file; of a file that does not exist none.

    Raises:
        AdairError: a file that holds something else.
    """
    known = {field.name for field in fields(Row)}
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))
        return [Row(**{key: value for key, value in row.items() if key in known}) for row in listed]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AdairError(
            f"{path}: does not hold rows of adair bench; name another file, or start over with --fresh"
        ) from error
