"""Training an adapter for the page: ``adair adapt`` in a separate process, whose output is parsed.

The page stays responsive, stopping is the SIGTERM after which training writes its best weights, and the result is that
of the command.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adair.adapters.files import TASK_NAME
from adair.degradations import parse_recipe
from adair.errors import InputError
from adair.restore.tasks import AUTO
from adair.tasks import FOUNDATION
from adair.ui.workspace import safe_stem

LONGEST = 24 * 60.0  # minutes
PROGRAM = (sys.executable, "-m", "adair")
LINES = 200  # lines of the process's output that are kept
# Lines about files and commands; the page has both.
FOR_THE_TERMINAL = ("look at it: ", "use it: ", "stopped early; ", "adair: interrupted")
VALIDATE_STEPS = 50  # a visitor watches the curve, and a slow machine does a step in seconds
_VALIDATION = re.compile(r"step (\d+) .*PSNR: (.+)")
_RESULT = re.compile(r"(\S.*?) (-?\d+\.\d+) \(input (-?\d+\.\d+)\)")
_END = re.compile(r".*: (\d+) steps, ")
_LAST = re.compile(r"  (\S.*): input (-?\d+\.\d+) dB, restored (-?\d+\.\d+) dB")


@dataclass(frozen=True)
class TrainingRequest:
    """A training that a visitor requests.

    Attributes:
        name: name of the task.
        clean: clean photos.
        degraded: the same photos degraded, under the same names; empty if ``recipe`` degrades the clean ones.
        recipe: how clean photos are degraded.
        minutes: length of the training, 0.1 minutes to a day.

    Raises:
        InputError: no name, no photos, pairs that do not match, an invalid recipe, or minutes out of range.
    """

    name: str
    clean: tuple[Path, ...]
    degraded: tuple[Path, ...] = ()
    recipe: str = ""
    minutes: float = 10.0

    def __post_init__(self) -> None:
        if not TASK_NAME.fullmatch(self.name) or "." in self.name or self.name in (AUTO, FOUNDATION):
            raise InputError(f"name '{self.name}': give the task a name of its own, with letters, digits and '-'")
        if not self.clean:
            raise InputError("no clean photos; drop some, preferably ten or more")
        if not 0.1 <= self.minutes <= LONGEST:
            raise InputError(f"minutes {self.minutes:g}: give 0.1 to {LONGEST:g}")
        if not self.degraded:
            parse_recipe(self.recipe)

    def lay_out(self, folder: Path) -> list[str]:
        """Copy the photos into ``folder``, and return the options of ``adair adapt`` for them."""
        clean = _copy(self.clean, folder / "clean")
        if not self.degraded:
            return ["--photos", str(clean), "--recipe", self.recipe]
        return ["--pairs", str(_copy(self.degraded, folder / "degraded")), str(clean)]


@dataclass(frozen=True)
class TrainingState:
    """The progress of a training.

    Attributes:
        lines: the last lines of its output.
        curve: step, validation set and PSNR on held-out photos, in the order of training; step 0 is the damage itself.
        seconds: time since the start.
        over: whether it has ended.
        adapter: the file, once training has ended.
    """

    lines: tuple[str, ...] = ()
    curve: tuple[tuple[int, str, float], ...] = ()
    seconds: float = 0.0
    over: bool = False
    adapter: Path | None = None

    @property
    def sheet(self) -> Path | None:
        """The sheet of held-out photos before and after, if it exists."""
        return None if self.adapter is None else _existing(self.adapter.with_suffix(".sheet.png"))

    @property
    def files(self) -> list[Path]:
        """The files to download: the adapter, its page and its settings."""
        adapter = self.adapter
        if adapter is None:
            return []
        others = (_existing(adapter.with_suffix(ending)) for ending in (".html", ".config.toml"))
        return [adapter, *(path for path in others if path)]


class TrainingJob:
    """A training; any thread may stop it.

    Args:
        request: what to train.
        folder: an empty folder that belongs to the page.
        foundation: the adapter's foundation; None for the bundled one.
        options: further options of ``adair adapt``.
        program: the program to start with the command line.
    """

    def __init__(
        self,
        request: TrainingRequest,
        folder: Path,
        foundation: Path | None,
        options: Sequence[str] = (),
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.request, self._adapter = request, folder / f"{request.name}.safetensors"
        words = ["adapt", request.name, *request.lay_out(folder), "--minutes", f"{request.minutes:g}"]
        words += ["--output", str(self._adapter), "--validate-steps", str(VALIDATE_STEPS), *options]
        words += [] if foundation is None else ["--foundation", str(foundation)]
        self._start = time.monotonic()
        self._lines: list[str] = []
        self._curve: list[tuple[int, str, float]] = []
        self._steps = 0
        self._process = subprocess.Popen(
            [*program, *words],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="adair-training", daemon=True)
        self._reader.start()
        atexit.register(self.stop)  # a training must not go on when the page has ended

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._reader.is_alive()

    def watch(self, every: float = 1.0) -> Iterator[TrainingState]:
        """Yield the state at intervals until the training has ended, which the last state says."""
        while self.running:
            yield self._state(over=False)
            self._reader.join(every)
        yield self._state(over=True)

    def stop(self) -> None:
        """Stop it; the best weights so far are kept, if there was a validation."""
        if self._process.poll() is None:
            self._process.terminate()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(line.rstrip())
        self._process.wait()
        atexit.unregister(self.stop)

    def _take(self, line: str) -> None:
        if not line.startswith(FOR_THE_TERMINAL):
            named = line.replace(f"{self._adapter.parent}{os.sep}", "")
            self._lines = [*self._lines, named][-LINES:]
        if found := _VALIDATION.search(line):
            self._steps = int(found[1])
            for name, value, damaged in _RESULT.findall(found[2]):
                self._add(name, damaged, value)
        elif found := _END.match(line):
            self._steps = int(found[1])
        elif found := _LAST.match(line):
            self._add(*found.groups())

    def _add(self, name: str, damaged: str, restored: str) -> None:
        """Add a point to the curve, and to a curve without any that of step 0; once for each step."""
        known = {(step, one) for step, one, _ in self._curve}
        for point in ((0, name, float(damaged)), (self._steps, name, float(restored))):
            if point[:2] not in known:
                self._curve = [*self._curve, point]

    def _state(self, over: bool) -> TrainingState:
        adapter = _existing(self._adapter) if over else None
        return TrainingState(tuple(self._lines), tuple(self._curve), time.monotonic() - self._start, over, adapter)


def _copy(pictures: Sequence[Path], folder: Path) -> Path:
    """Copy photos into a new folder under safe names, which keep pairs together."""
    folder.mkdir()
    for picture in pictures:
        target = folder / f"{safe_stem(picture.name)}{picture.suffix.lower()}"
        if target.exists():
            raise InputError(f"{picture.name}: two photos have this name; rename one")
        shutil.copyfile(picture, target)
    return folder


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
