"""A cell: one piece of work of a study, known by all that decides its result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adair.studies.lab import Lab

# Of the code: a change that alters figures raises it, and no older result is taken for a new one. The golden figure in
# tests/studies/test_golden.py fails when it has to be raised; the pages of before are then removed.
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Result:
    """What a cell found; all of it can be written as JSON.

    Attributes:
        figures: what is the same whenever the cell is worked again on the same machine.
        costs: what is not: seconds, above all; "worked" are those of the whole cell.
        machine: where it was worked; the lab notes it.
    """

    figures: dict[str, Any]
    costs: dict[str, float]
    machine: str = ""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One piece of work: training a network, or measuring one.

    A subclass is a frozen dataclass. Its fields are all that decides its figures: numbers, text, tuples, other
    dataclasses, and the cells that it needs. From them (and `world`) follows the key under which its result is kept, so
    equal cells of different studies are worked once.
    """

    @property
    def title(self) -> str:
        """What people read while it is worked."""
        raise NotImplementedError

    def work(self, lab: Lab) -> Result:
        """Do the work; what it needs is done by then. Files may be kept in ``lab.folder(self)``.

        Raises:
            AdairError: if it cannot be done.
            KeyboardInterrupt: if a signal stopped it; what it has left in its folder lets it go on from there.
        """
        raise NotImplementedError

    def world(self, lab: Lab) -> Any:
        """What decides its figures beside its fields: the photos, the precision."""
        return lab.training_mark

    def pace(self) -> tuple[str, float]:
        """What its speed depends on, and how many units of it there are: cells of one pace predict each other."""
        raise NotImplementedError

    def trial(self, lab: Lab) -> float:
        """Seconds that a unit of its pace takes, from a short try; used until a cell of this pace is done."""
        raise NotImplementedError

    def needs(self) -> list[Cell]:
        """The cells among its fields."""
        return [cell for field in dataclasses.fields(self) for cell in _cells(getattr(self, field.name))]


def describe(value: Any) -> Any:
    """Return ``value`` as JSON: what a key is made from, and what a report says about a cell."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Path):
        raise TypeError(f"a cell must not depend on where a file lies: {value}")
    raise TypeError(f"a cell cannot be described by {type(value).__name__}")


def resolved(value: Any) -> str:
    """The ``repr`` of settings with all their defaults, without addresses in memory, which differ from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def digest(value: Any) -> str:
    """Hash JSON to 20 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


def _cells(value: Any) -> list[Cell]:
    if isinstance(value, Cell):
        return [value]
    return [cell for item in value for cell in _cells(item)] if isinstance(value, (list, tuple)) else []
