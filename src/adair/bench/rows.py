"""Rows of results, and the file that stores them: complete after every row, so that a run can resume."""

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

RENAMED = {"peer": "baseline"}  # kinds in files of earlier versions


@dataclass(frozen=True)
class Row:
    """The result of one method in one setting.

    Attributes:
        suite, dataset, setting, method: what was measured.
        psnr, ssim: means over the images, in dB and up to 1; None if undefined.
        protocol: how it was measured; for a published figure, its source.
        images: how many images.
        seconds_per_megapixel: time of restoring per megapixel of the result; see `Meter`.
        peak_mb: peak memory of restoring; see `Meter`.
        published: whether the figure was copied from a paper instead of measured.
        kind: "input", "ours", "baseline" or "published".
        limit: the number of images was limited to this; None for all.
        present: how many images the test set had; if that changes, the row is measured again.
        version: code or weights of the method.
        note: the facts that the method uses, and its licence.
        machine: the machine that measured.
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
        """The row's key: a newer row with the same key replaces it, but published rows never replace measured ones."""
        return self.suite, self.dataset, self.setting, self.method, self.published, self.limit

    @property
    def identity(self) -> tuple[object, ...]:
        """Exactly what was measured: a row with the same identity need not be measured again."""
        return *self.place, self.protocol, self.present, self.version


class Journal:
    """Rows by place, stored in a JSON file (a list of objects).

    Args:
        path: the file; None keeps rows in memory only.
        fresh: ignore the rows of an existing file.

    Raises:
        AdairError: the file contains something else.
    """

    def __init__(self, path: Path | None, fresh: bool = False) -> None:
        self.path = path
        self._rows = {} if fresh or path is None else {row.place: row for row in read_rows(path)}

    def find(self, like: Row) -> Row | None:
        """Return the row that measured exactly what ``like`` would measure, if there is one."""
        row = self._rows.get(like.place)
        return row if row is not None and row.identity == like.identity else None

    def elsewhere(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows of baselines that an earlier run measured like ``rows``, but that are not installed now."""
        same = {(row.suite, row.dataset, row.setting, row.limit, row.protocol, row.present) for row in rows}
        known = {row.place for row in rows}
        return [
            row
            for row in self._rows.values()
            if row.kind == "baseline"
            and row.place not in known
            and (row.suite, row.dataset, row.setting, row.limit, row.protocol, row.present) in same
        ]

    def add(self, rows: Iterable[Row]) -> None:
        """Store rows; the file is replaced atomically."""
        self._rows.update((row.place, row) for row in rows)
        if self.path is not None:
            text = ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in self._rows.values())
            write_whole(self.path, f"[\n{text}\n]\n".encode())


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Read the rows of a JSON file; none if it does not exist.

    Raises:
        AdairError: the file contains something else.
    """
    known = {field.name for field in fields(Row)}
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))
        stored = [{**row, "kind": RENAMED.get(row.get("kind"), row.get("kind", "ours"))} for row in listed]
        return [Row(**{key: value for key, value in row.items() if key in known}) for row in stored]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AdairError(
            f"{path}: does not contain rows of adair bench; choose another file, or start over with --fresh"
        ) from error
