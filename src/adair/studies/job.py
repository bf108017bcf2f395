"""A job: one piece of work of a study, known by all that decides its result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adair.studies.workspace import Workspace

# Of the code: a change that alters figures raises it, and no older result is taken for a new one. The golden figure in
# tests/studies/test_golden.py fails when it has to be raised; the pages of before are then removed.
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Result:
    """What a job found; all of it can be written as JSON.

    Attributes:
        figures: what is the same whenever the job is worked again on the same machine.
        costs: what is not: seconds, above all; "worked" are those of the whole job.
        machine: where it was worked; the workspace notes it.
    """

    figures: dict[str, Any]
    costs: dict[str, float]
    machine: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """One piece of work: training a network, or measuring one.

    A subclass is a frozen dataclass. Its fields are all that decides its figures: numbers, text, tuples, other
    dataclasses, and the jobs that it needs. From them (and `world`) follows the key under which its result is kept, so
    equal jobs of different studies are worked once.
    """

    @property
    def title(self) -> str:
        """What people read while it is worked."""
        raise NotImplementedError

    def work(self, workspace: Workspace) -> Result:
        """Do the work; what it needs is done by then. Files may be kept in ``workspace.folder(self)``.

        Raises:
            AdairError: if it cannot be done.
            KeyboardInterrupt: if a signal stopped it; what it has left in its folder lets it go on from there.
        """
        raise NotImplementedError

    def world(self, workspace: Workspace) -> Any:
        """What decides its figures beside its fields: the photos, the precision."""
        return workspace.training_mark

    def pace(self) -> tuple[str, float]:
        """What its speed depends on, and how many units of it there are: jobs of one pace predict each other."""
        raise NotImplementedError

    def trial(self, workspace: Workspace) -> float:
        """Seconds that a unit of its pace takes, from a short try; used until a job of this pace is done."""
        raise NotImplementedError

    def needs(self) -> list[Job]:
        """The jobs among its fields."""
        return [job for field in dataclasses.fields(self) for job in _jobs(getattr(self, field.name))]


def describe(value: Any) -> Any:
    """Return ``value`` as JSON: what a key is made from, and what a report says about a job."""
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
        raise TypeError(f"a job must not depend on where a file lies: {value}")
    raise TypeError(f"a job cannot be described by {type(value).__name__}")


def resolved(value: Any) -> str:
    """The ``repr`` of settings with all their defaults, without addresses in memory, which differ from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def digest(value: Any) -> str:
    """Hash JSON to 20 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


def _jobs(value: Any) -> list[Job]:
    if isinstance(value, Job):
        return [value]
    return [job for item in value for job in _jobs(item)] if isinstance(value, (list, tuple)) else []
