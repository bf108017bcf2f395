"""The methods of every setting: the input itself, the frozen foundation, and the foundation with its adapter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from torch import Tensor

from adair.bench.case import Case, Method
from adair.bench.suites import WITHOUT_ADAPTER, Setting
from adair.degradations import resize
from adair.restore import Restorer
from adair.restore.tasks import UPSCALING
from adair.tasks import FOUNDATION
from adair.weights import bundled_adapters, fingerprint, read_header, read_tensors


def load_ours(
    foundation: Path | None, adapters: Iterable[Path], device: str | None, precision: str | None
) -> tuple[Restorer, dict[str, str]]:
    """Load the restorer and the adapters to measure.

    Args:
        foundation: a file; None for the bundled one with its adapters.
        adapters: files to add; each replaces the bundled adapter of its task.
        device, precision: as for `Restorer.load`.

    Returns:
        The restorer, and the fingerprint of each task's adapter.

    Raises:
        AdairError: a file, device or precision that cannot be used.
    """
    restorer = Restorer.load(foundation, device, precision)
    files: dict[str, Path] = bundled_adapters() if foundation is None else {}
    files |= {restorer.add_adapter(path, replace=True): path for path in adapters}
    return restorer, {task: fingerprint(read_tensors(read_header(path))) for task, path in sorted(files.items())}


def own_methods(
    setting: Setting, restorer: Restorer, adapters: Mapping[str, str], ensemble: bool = False
) -> list[Method]:
    """Return the input and our methods for a setting. Suites without an adapter of their own try all that fit.

    Args:
        setting: what to restore.
        restorer, adapters: as `load_ours` returns them.
        ensemble: whether to add each adapter once more, averaged over the eight flips and rotations of the input.
    """
    suites = frozenset({setting.suite})
    version = f"foundation {restorer.foundation.fingerprint[:12]}, {restorer.precision.name}"
    methods = [
        Method("bicubic" if setting.source.scale else "input", suites, as_given, "input"),
        Method(
            "foundation", suites, lambda case: restorer.restore(as_given(case), FOUNDATION), "ours", version=version
        ),
    ]
    for task, mark in _candidates(setting, adapters).items():
        name = "foundation + adapter" if task == setting.tasks[0] else f"foundation + {task}"
        marks = f"{version}, adapter {mark[:12]}"
        methods.append(Method(name, suites, partial(_adapted, restorer, task, False), "ours", version=marks))
        if ensemble:
            slow = partial(_adapted, restorer, task, True)
            methods.append(Method(f"{name}, ensemble", suites, slow, "ours", version=marks))
    return methods


def _candidates(setting: Setting, adapters: Mapping[str, str]) -> dict[str, str]:
    """Return the adapters that are measured in a setting."""
    if setting.suite in WITHOUT_ADAPTER:
        enlarges = setting.source.scale is not None
        return {task: mark for task, mark in adapters.items() if (task == UPSCALING) == enlarges}
    return {task: adapters[task] for task in setting.tasks if task in adapters}


def as_given(case: Case) -> Tensor:
    """Return the input itself; a small one enlarged with MATLAB's bicubic interpolation."""
    return resize(case.given, case.size) if case.scale else case.given


def _adapted(restorer: Restorer, task: str, ensemble: bool, case: Case) -> Tensor:
    return restorer.restore(case.given, task, case.scale, ensemble=ensemble)
