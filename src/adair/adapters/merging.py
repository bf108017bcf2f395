"""Merging adapter files: which files can be merged, and the card of the result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from adair.adapters.adapter import Combined
from adair.adapters.files import LoadedAdapter, load_adapter
from adair.adapters.kinds import fits_within
from adair.errors import AdairError
from adair.tasks import SUM_LIMIT, check_strength
from adair.weights import Foundation, fingerprint, read_header
from adair.weights.cards import joint_licence


@dataclass(frozen=True)
class Merged:
    """The result of `merge_files`: the adapter, and the card for its file."""

    combined: Combined
    card: dict[str, Any]


def merge_files(
    paths: Sequence[str | os.PathLike[str]],
    strengths: Sequence[float],
    foundation: Foundation,
    rank: int | None = None,
) -> Merged:
    """Merge adapter files of one kind into one adapter that is equivalent to their blend.

    Args:
        paths: the files.
        strengths: one for each, as in a blend.
        foundation: the one that all are for.
        rank: of the result, if less than the exact one; None: exact, unless its file would be over `BUDGET`: then the
            largest rank within it.

    Raises:
        AdairError: no file; another number of strengths than files; a strength out of range, all of them 0, or a sum
            above 1, which a blend refuses, too; a file that is not an adapter for this foundation, or of a kind that
            cannot be merged.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise AdairError("no adapter file to merge; give one or more")
    if len(strengths) != len(files):
        raise AdairError(f"{len(files)} adapter files and {len(strengths)} weights; give one weight for each file")
    weights = [check_strength(str(path), value) for path, value in zip(files, strengths, strict=True)]
    _check_sum(weights)
    _check_foundations(files)
    loaded = [load_adapter(path, foundation) for path in files]
    _check_resolutions(files, loaded)
    model = foundation.unshuffled(loaded[0].adapter.unshuffle).model
    combined = _combined(loaded, weights, model, {} if rank is None else {"rank": rank})
    if combined is None:
        raise _not_one(files, loaded, weights)
    return Merged(combined, _card(files, loaded, weights, combined))


def _check_sum(weights: Sequence[float]) -> None:
    given, total = ",".join(f"{weight:g}" for weight in weights), sum(weights)
    if total == 0:
        raise AdairError(f"weights {given}: the result would do nothing; give at least one above 0")
    if total > SUM_LIMIT + 1e-6:
        smaller = ",".join(f"{weight / total:.2g}" for weight in weights)
        raise AdairError(f"weights {given}: add up to {total:g}, more than {SUM_LIMIT:g}; give {smaller}, for example")


def _check_foundations(files: Sequence[Path]) -> None:
    marks = {path: read_header(path).metadata.get("foundation") for path in files}
    first = files[0]
    for path, mark in marks.items():
        if mark != marks[first] and isinstance(mark, str) and isinstance(marks[first], str):
            raise AdairError(
                f"{path}: is for another foundation than {first}; only adapters for the same foundation can be merged, "
                "so train one of them again on the other's"
            )


def _check_resolutions(files: Sequence[Path], loaded: Sequence[LoadedAdapter]) -> None:
    for path, one in zip(files, loaded, strict=True):
        if one.adapter.unshuffle != loaded[0].adapter.unshuffle:
            raise AdairError(
                f"{path}: works at another resolution than {files[0]} (unshuffle {one.adapter.unshuffle} and "
                f"{loaded[0].adapter.unshuffle}), so they cannot be merged; restore with one after the other"
            )


def _combined(
    loaded: Sequence[LoadedAdapter], weights: Sequence[float], model: nn.Module, limits: dict[str, Any]
) -> Combined | None:
    """Combine adapters of one kind; None for several kinds, or one that cannot be combined."""
    kind = type(loaded[0].adapter)
    if any(type(one.adapter) is not kind for one in loaded):
        return None
    parts = [(one.adapter, weight) for one, weight in zip(loaded, weights, strict=True)]
    return kind.combine(parts, model, fits_within(kind.kind, model), **limits)


def _not_one(files: Sequence[Path], loaded: Sequence[LoadedAdapter], weights: Sequence[float]) -> AdairError:
    named = ", ".join(f"{path} (kind {one.adapter.kind})" for path, one in zip(files, loaded, strict=True))
    blend = ",".join(f"{one.task}={weight:g}" for one, weight in zip(loaded, weights, strict=True))
    return AdairError(
        f"{named}: cannot become one file; that takes adapters of one kind that changes weights alone, as merge does. "
        f"Blend them when restoring: adair restore {' '.join(f'--adapter {path}' for path in files)} --task {blend}"
    )


def _card(
    files: Sequence[Path], loaded: Sequence[LoadedAdapter], weights: Sequence[float], combined: Combined
) -> dict[str, Any]:
    parents = [
        {
            **one.adapter.options,
            "file": path.name,
            "task": one.task,
            "weight": weight,
            "fingerprint": fingerprint(one.adapter.state_dict()),
            **{key: one.card[key] for key in ("recipe", "licence") if key in one.card},
        }
        for path, one, weight in zip(files, loaded, weights, strict=True)
    ]
    return {
        "merged": {
            "parents": parents,
            **combined.facts,
            "relative_error": float(f"{combined.error:.3g}"),
        },
        "licence": joint_licence(parents),
    }
