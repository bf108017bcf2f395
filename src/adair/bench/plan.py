"""What a run measures: settings whose test set is available, and the methods for each."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from adair.bench.baselines import find_baselines, load_baseline
from adair.bench.case import Method
from adair.bench.methods import own_methods
from adair.bench.suites import SUITES, Setting
from adair.data import dataset
from adair.errors import AdairError
from adair.restore import Restorer

KINDS = {"input": "input", "ours": "ours", "baselines": "baseline"}  # names that select all methods of a kind
PUBLISHED = "published"

BenchConfig = list[tuple[Setting, list[Method]]]


def find_settings(suites: Sequence[str] = (), datasets: Sequence[str] = (), names: Sequence[str] = ()) -> list[Setting]:
    """Select settings as `choose_settings` does, whether their images are there or not.

    Raises:
        AdairError: an unknown name.
    """
    _check("suite", suites, SUITES)
    wanted = [setting for suite in suites or SUITES for setting in SUITES[suite]]
    _check("test set", datasets, {setting.dataset for setting in wanted})
    wanted = [setting for setting in wanted if not datasets or setting.dataset in datasets]
    _check("setting", names, {setting.name for setting in wanted})
    return [setting for setting in wanted if not names or setting.name in names]


def choose_settings(
    data: Path, suites: Sequence[str] = (), datasets: Sequence[str] = (), names: Sequence[str] = ()
) -> tuple[list[Setting], list[str]]:
    """Select the settings of ``suites`` on ``datasets`` with ``names`` (all by default) whose images are in ``data``.

    Returns:
        The settings, and the names of test sets that are missing.

    Raises:
        AdairError: an unknown name, or no test set at all.
    """
    wanted = find_settings(suites, datasets, names)
    there = {name: (data / dataset(name).folder).is_dir() for name in {setting.dataset: None for setting in wanted}}
    missing = [name for name, present in there.items() if not present]
    if not any(there.values()):
        raise AdairError(f"{data}: contains none of the test sets; {missing[0]}: {advice(missing[0], data)}")
    return [setting for setting in wanted if there[setting.dataset]], missing


def choose_methods(
    settings: Iterable[Setting],
    restorer: Restorer,
    adapters: Mapping[str, str],
    checkpoints: Iterable[Path] = (),
    wanted: Sequence[str] = (),
    ensemble: bool = False,
) -> BenchConfig:
    """Select the methods to measure in each setting; settings without any are dropped.

    Args:
        settings: from `choose_settings`.
        restorer, adapters: from `load_ours`.
        checkpoints: files of other networks.
        wanted: names of methods, or "input", "ours", "baselines", "published"; empty for all.
        ensemble: whether to measure the adapters with self-ensemble as well.

    Raises:
        AdairError: a checkpoint that cannot be used, or the name of no method.
    """
    loaded = [load_baseline(path) for path in checkpoints]
    plan = []
    for setting in settings:
        methods = own_methods(setting, restorer, adapters, ensemble) + find_baselines(
            setting.suite, setting.source.scale
        )
        enlarges = setting.source.scale is not None
        methods += [method for method in loaded if setting.suite in method.suites and method.enlarges == enlarges]
        plan.append((setting, [method for method in methods if method.kind in setting.kinds]))
    _check("method", wanted, {*KINDS, PUBLISHED, *(method.name for _, methods in plan for method in methods)})
    kinds = {KINDS[word] for word in wanted if word in KINDS}
    chosen = [
        (setting, [method for method in methods if not wanted or method.name in wanted or method.kind in kinds])
        for setting, methods in plan
    ]
    return [(setting, methods) for setting, methods in chosen if methods or PUBLISHED in wanted]


def advice(name: str, data: Path | str) -> str:
    """Return how to get a test set, and where to put it."""
    return dataset(name).advice.replace("DIR", str(data))


def _check(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise AdairError(f"unknown {what} '{name}'; {hint}known: {', '.join(sorted(known))}")
