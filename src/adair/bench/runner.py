"""Measuring each method on each image of each setting; a row is stored as soon as its last image is scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from adair.bench import datasets
from adair.bench.case import Case, Method
from adair.bench.datasets import Found, Sample
from adair.bench.meter import Meter, machine
from adair.bench.protocols import Score
from adair.bench.rows import Journal, Row
from adair.bench.suites import Setting
from adair.errors import AdairError
from adair.metrics import quantise
from adair.restore import Restorer

_CORNER = 64  # side of the piece on which a method warms up


@dataclass
class Bench:
    """One run of the benchmark.

    Attributes:
        data: folder of test sets.
        journal: stores finished rows; rows that it contains already are not measured again.
        restorer: ours; baselines run on the CPU even if this one uses a GPU.
        say: called at once with one line for everything that is skipped, and why.
        progress: called with the row that is being measured, and the number of rows done.
        limit: only the first usable images of each set; None for all.
        measure: whether to measure rows that the journal lacks, or leave them out.
        problems: everything that was passed to `say`, once each.
    """

    data: Path
    journal: Journal
    restorer: Restorer
    say: Callable[[str], None]
    progress: Callable[[str, float], None]
    limit: int | None = None
    measure: bool = True
    problems: list[str] = field(default_factory=list)
    _done: int = field(default=0, init=False)

    def run(self, setting: Setting, methods: Sequence[Method]) -> list[Row]:
        """Return the rows of a setting, in the order of ``methods``, from the journal or measured now."""
        found = setting.source.find(self.data, setting.dataset)
        for problem in found.problems:
            self._problem(problem)
        rows: list[Row] = []
        for method in methods:
            rows += self._rows(setting, method, found)
            self._done += 1
        return rows

    def _rows(self, setting: Setting, method: Method, found: Found) -> list[Row]:
        """Return a row for each score; none if the method fails."""
        blanks = [self._blank(setting, score, method, found) for score in setting.scores]
        known = [row for row in map(self.journal.find, blanks) if row is not None]
        if len(known) == len(blanks) or not self.measure:
            return known
        try:
            measured = self._measure(setting, method, found.samples, blanks)
        except AdairError as error:
            self._problem(f"{setting.dataset}, {setting.name}: no row for {method.name}: {error}")
            return []
        self.journal.add(measured)
        return measured

    def _blank(self, setting: Setting, score: Score, method: Method, found: Found) -> Row:
        """Return a row without its figures."""
        return Row(
            *(setting.suite, setting.dataset, setting.label(score), method.name),
            *(None, None, setting.protocol(score, found)),
            kind=method.kind,
            limit=self.limit,
            present=len(found.samples),
            version=method.version,
            note=method.note,
            machine=machine(self.restorer.device, self.restorer.precision.name),
        )

    def _measure(self, setting: Setting, method: Method, samples: list[Sample], blanks: list[Row]) -> list[Row]:
        """Restore every image with one method, and fill in the figures of the blank rows."""
        meter: Meter | None = None
        pixels = 0
        figures: list[list[tuple[float, float | None]]] = []
        total = min(len(samples), self.limit or len(samples), setting.first or len(samples))
        for clean, case in islice(self._cases(setting, samples), total):
            self.progress(f"{setting.dataset} {setting.name}: {method.name}", self._done + len(figures) / total)
            if meter is None:
                _attempt(method, _corner(case))  # loads weights and compiles, which is not restoring
                meter = Meter(self.restorer.device if method.kind == "ours" else torch.device("cpu"))
            with meter.watch():
                restored = _attempt(method, case)
            # The input is not rounded: published figures of unclipped noise are those of the real values.
            restored = restored if restored is case.given else quantise(restored)
            figures.append([(score.psnr(restored, clean), score.ssim(restored, clean)) for score in setting.scores])
            pixels += math.prod(case.size)
        if meter is None:
            raise AdairError("no image can be used")
        works = method.kind != "input"  # which restores nothing
        seconds = round(meter.seconds / pixels * 1e6, 4) if works else None
        peak = round(meter.peak_mb, 1) if works and meter.peak_mb is not None else None
        rows = []
        for blank, scores in zip(blanks, zip(*figures, strict=True), strict=True):
            psnr, ssim = (_mean(values) for values in zip(*scores, strict=True))
            row = replace(blank, psnr=psnr, ssim=ssim, images=len(figures))
            rows.append(replace(row, seconds_per_megapixel=seconds, peak_mb=peak))
        return rows

    def _cases(self, setting: Setting, samples: Iterable[Sample]) -> Iterator[tuple[Tensor, Case]]:
        """Yield clean images with their cases; files that cannot be used are reported."""
        for sample in samples:
            try:
                clean, case = load_case(setting, sample)
            except AdairError as error:
                self._problem(str(error))
                continue
            if not all(score.fits_ssim(clean) for score in setting.scores):
                self._problem(f"{sample.clean}: smaller than the window of SSIM, so its rows have none")
            yield clean, case

    def _problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)
            self.say(text)


def load_case(setting: Setting, sample: Sample) -> tuple[Tensor, Case]:
    """Return the clean image, and the case made from it.

    Raises:
        AdairError: files that cannot be read, do not fit together, or are too small to be scored.
    """
    source = setting.source
    clean, given = source.make(datasets.load(sample.clean, setting.gray), sample)
    for score in setting.scores:
        if not score.fits(clean):
            raise AdairError(f"{sample.clean}: not larger than the border of {score.border} pixels that is left out")
    given = given.expand(-1, 3, -1, -1).contiguous()
    return clean, Case(setting.suite, given, (clean.shape[-2], clean.shape[-1]), source.scale, dict(source.facts))


def _corner(case: Case) -> Case:
    """Return a small piece of a case."""
    given = case.given[..., :_CORNER, :_CORNER].contiguous()
    scale = case.scale or 1
    return replace(case, given=given, size=(given.shape[-2] * scale, given.shape[-1] * scale))


def _attempt(method: Method, case: Case) -> Tensor:
    """Restore; an exception in a baseline, which is other people's code, becomes one line."""
    try:
        restored = method.run(case)
    except AdairError:
        raise
    except Exception as error:
        if method.kind != "baseline":
            raise
        raise AdairError(" ".join(f"{type(error).__name__}: {error}".split())) from error
    if restored.shape != (1, 3, *case.size):
        raise AdairError(f"returned {tuple(restored.shape)} instead of {(1, 3, *case.size)}")
    if not bool(torch.isfinite(restored).all()):
        raise AdairError("returned NaN or infinity")
    return restored


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean to four places; None if a value is missing or infinite (JSON has no infinity)."""
    listed = list(values)
    known = [value for value in listed if value is not None and math.isfinite(value)]
    return round(sum(known) / len(known), 4) if len(known) == len(listed) else None
