"""Jobs, and the workspace they run in: photos, test images, a device, and the folder of results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from adair import __version__
from adair.bench.meter import alone
from adair.errors import AdairError
from adair.hardware import choose_device, choose_precision, cpu_name, tune_allocator
from adair.images.files import write_whole
from adair.train.photos import PhotoStore, open_store

# Version of the code: every change that alters figures must raise it, so that older results are not reused. The golden
# figure in tests/studies/test_golden.py fails when that is due; the pages of the former version are then deleted.
FORMAT = 2


@dataclasses.dataclass(frozen=True)
class Result:
    """The results of a job, which can be written as JSON.

    Attributes:
        figures: results that are the same whenever the job is run again on the same machine.
        costs: results that are not, mainly seconds; "worked" is the time of the whole job.
        machine: the machine that ran the job, set by the workspace.
    """

    figures: dict[str, Any]
    costs: dict[str, float]
    machine: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """One piece of work: training a network, or measuring one.

    Subclasses are frozen dataclasses. Their fields determine the figures: numbers, text, tuples, other dataclasses, and
    the jobs that they depend on. The key of a result follows from them and from `context`, so that equal jobs of
    different studies run once.
    """

    @property
    def title(self) -> str:
        """Its description while it runs."""
        raise NotImplementedError

    def work(self, workspace: Workspace) -> Result:
        """Run the job; its dependencies are done. Files may be stored in ``workspace.folder(self)``.

        Raises:
            AdairError: it cannot be done.
            KeyboardInterrupt: a signal stopped it; it can resume from the files in its folder.
        """
        raise NotImplementedError

    def context(self, workspace: Workspace) -> Any:
        """Return what determines the figures in addition to the fields: photos, precision, settings."""
        return workspace.training_mark

    def workload(self) -> tuple[str, float]:
        """Return the kind of work and its amount: the speed of finished jobs predicts others of the same kind."""
        raise NotImplementedError

    def trial(self, workspace: Workspace) -> float:
        """Return the seconds per unit of its workload from a short trial, used until a job of that kind is done."""
        raise NotImplementedError

    def needs(self) -> list[Job]:
        """Return the jobs among its fields."""
        return [job for field in dataclasses.fields(self) for job in _jobs(getattr(self, field.name))]


def describe(value: Any) -> Any:
    """Return ``value`` as JSON, for keys and for the reports of jobs."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _brief(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Path):
        raise TypeError(f"a job must not depend on the path of a file: {value}")
    raise TypeError(f"a job cannot be described by {type(value).__name__}")


def _brief(value: Any) -> Any:
    """Describe a field; jobs by their titles alone, since they have keys of their own."""
    if isinstance(value, (list, tuple)):
        return [_brief(item) for item in value]
    return value.title if isinstance(value, Job) else describe(value)


def resolved(value: Any) -> str:
    """Return the ``repr`` of settings with all their defaults, without memory addresses, which differ between runs."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def digest(value: Any) -> str:
    """Hash JSON to 20 hexadecimal digits."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:20]


def identity(job: Job) -> str:
    """Return a hash of a job and all that it needs, whatever the photos: how results are found again in a JSON file."""
    return digest([describe(job), *map(identity, job.needs())])


def _jobs(value: Any) -> list[Job]:
    if isinstance(value, Job):
        return [value]
    return [job for item in value for job in _jobs(item)] if isinstance(value, (list, tuple)) else []


_STRIDE = 65_537  # distance in bytes between the samples for the photos' fingerprint


@dataclass(frozen=True)
class Place:
    """The inputs and settings of a workspace, as plain values that can be passed to other processes.

    Attributes:
        folder: folder of results and checkpoints.
        photos: folder of clean photos.
        held_out: number of photos that are never trained on.
        validation: how many more are never trained on and never tested: what is chosen is chosen on them.
        data: folder of test sets; None: the held-out photos are the test images.
        device, precision: as for `choose_device` and `choose_precision`.
        cache: folder for decoded photos; None: inside ``folder``.
        foundation: file of the foundation that a budget says is given; None: the bundled one.
    """

    folder: Path
    photos: Path
    held_out: int
    data: Path | None = None
    device: str | None = None
    precision: str | None = None
    cache: Path | None = None
    foundation: Path | None = None
    validation: int = 0


class Workspace:
    """Runs jobs and stores their results.

    Args:
        place: inputs and settings.
        say: called with one line when something happens that a user should know.
        decoded: called with (done, all) while photos are decoded for the first time.
        threads: CPU threads per job; None: torch's default. With one, figures do not depend on the number of
            processors, and several jobs can run at once.

    Raises:
        AdairError: photos, a device or a precision that cannot be used.
    """

    def __init__(
        self,
        place: Place,
        say: Callable[[str], None] = lambda line: None,
        decoded: Callable[[int, int], None] | None = None,
        threads: int | None = 1,
    ) -> None:
        tune_allocator()
        self.place, self.say = place, say
        self.device = choose_device(place.device)
        self.precision = _training_precision(place.precision, self.device)
        if threads is not None and self.device.type == "cpu":
            torch.set_num_threads(threads)
        store = open_store(place.photos, place.cache or place.folder / "photos", progress=decoded)
        self.photos, self.held_out = store.split(place.held_out)
        self.validation = self.held_out
        if place.validation:
            self.photos, self.validation = self.photos.split(place.validation)
        self.skipped = store.skipped
        self._keys: dict[int, tuple[Job, str]] = {}

    @cached_property
    def training_mark(self) -> list[str]:
        """What determines a training in addition to its own settings."""
        return [_fingerprint(self.photos), str(self.precision), self.device.type]

    @cached_property
    def held_out_mark(self) -> str:
        """Fingerprint of the held-out photos."""
        return _fingerprint(self.held_out)

    @cached_property
    def validation_mark(self) -> str:
        """Fingerprint of the photos on which choices are made."""
        return _fingerprint(self.validation)

    @property
    def machine(self) -> str:
        """The hardware and software, in one line."""
        threads = torch.get_num_threads()
        name = cpu_name() if self.device.type != "cuda" else torch.cuda.get_device_name(self.device)
        count = "" if self.device.type == "cuda" else f", {threads} thread{'s' if threads > 1 else ''} per job"
        precision = str(self.precision).removeprefix("torch.")
        return f"{name}{count}, {precision}, torch {torch.__version__}, adair {__version__}"

    def clock(self) -> float:
        """Return seconds for short measurements: processor time with one thread, which other work hardly affects."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.process_time() if alone(self.device) else time.perf_counter()

    def key(self, job: Job) -> str:
        """Return the name under which a job's result is stored: a hash of everything that determines it."""
        if id(job) not in self._keys:  # requested often; a job that is stored here keeps its id
            parts = [FORMAT, describe(job), job.context(self), *map(self.key, job.needs())]
            self._keys[id(job)] = job, digest(parts)
        return self._keys[id(job)][1]

    def folder(self, job: Job) -> Path:
        """Return the folder of a job."""
        return self.place.folder / "cells" / self.key(job)

    def find(self, job: Job) -> Result | None:
        """Return the result of a job, if it is done.

        Raises:
            AdairError: a result that cannot be read.
        """
        path = self.folder(job) / "result.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return Result(found["figures"], found["costs"], found["machine"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AdairError(f"{path}: cannot be read ({error}); delete it to run the job again") from error

    def done(self, job: Job) -> bool:
        """Whether a job has its result."""
        return (self.folder(job) / "result.json").exists()

    def result(self, job: Job) -> Result:
        """Return the result of a job that is done."""
        found = self.find(job)
        if found is None:
            raise AdairError(f"{self.folder(job)}: the result of '{job.title}' is missing; run the study again")
        return found

    def work(self, job: Job) -> Result:
        """Run a job and store its result; a partial result is never visible."""
        begun = time.monotonic()
        result = replace(job.work(self), machine=self.machine)
        result.costs.setdefault("worked", time.monotonic() - begun)
        facts = {"title": job.title, **asdict(result), "cell": describe(job)}
        write_whole(self.folder(job) / "result.json", json.dumps(facts, indent=1).encode())
        return result

    @contextmanager
    def claim(self, job: Job) -> Iterator[bool]:
        """Whether this process may run a job now; no other process can until the end of the ``with`` block.

        The lock belongs to the operating system, so it ends with the process in any case.
        """
        folder = self.folder(job)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(folder / "lock", timeout=0).acquire()
        except Timeout:
            yield False
            return
        with held:
            yield True


def _training_precision(name: str | None, device: torch.device) -> torch.dtype:
    """Return the precision that restoring would choose, but never fp16, whose gradients vanish."""
    chosen = choose_precision(name, device).dtype
    return torch.float32 if chosen == torch.float16 else chosen


def _fingerprint(photos: PhotoStore) -> str:
    """Hash the names and sizes of photos, and a sample of their pixels."""
    mark = hashlib.sha256(repr((photos.names, photos.shapes)).encode())
    for index in range(len(photos)):
        mark.update(photos.photo(index).reshape(-1)[::_STRIDE].tobytes())
    return mark.hexdigest()[:20]
