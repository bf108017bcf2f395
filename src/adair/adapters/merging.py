"""Adapter files merged into one: which files can be, and what the card of the new one says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adair.adapters.combine import Combined, combine
from adair.adapters.files import LoadedAdapter, load_adapter
from adair.adapters.merge import MergeAdapter
from adair.errors import AdairError
from adair.tasks import check_strength
from adair.weights import Foundation, fingerprint, read_header


@dataclass(frozen=True)
class Merged:
    """What `merge_files` made: the adapter and the card for its file."""

    combined: Combined
    card: dict[str, Any]


def merge_files(
    paths: Sequence[str | os.PathLike[str]],
    strengths: Sequence[float],
    foundation: Foundation,
    rank: int | None = None,
) -> Merged:
    """Merge adapter files of kind ``merge`` into one adapter that acts like their blend.

    Args:
        paths: the files.
        strengths: one for each, as in a blend.
        foundation: the one that all are for.
        rank: as for `combine`.

    Raises:
        AdairError: no file; as many strengths as files are needed; a strength out of range; a file that is no adapter
            for this foundation, or of a kind that cannot be merged.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise AdairError("no adapter file to merge; name one or more")
    if len(strengths) != len(files):
        raise AdairError(f"{len(files)} adapter files and {len(strengths)} weights; give one weight for each file")
    weights = [check_strength(str(path), value) for path, value in zip(files, strengths, strict=True)]
    _check_foundations(files)
    loaded = [load_adapter(path, foundation) for path in files]
    _check_kinds(files, loaded, weights)
    parts = [(one.adapter, weight) for one, weight in zip(loaded, weights, strict=True)]
    combined = combine([(a, w) for a, w in parts if isinstance(a, MergeAdapter)], foundation.model, rank)
    return Merged(combined, _card(files, loaded, weights, combined))


def _check_foundations(files: Sequence[Path]) -> None:
    marks = {path: read_header(path).metadata.get("foundation") for path in files}
    first = files[0]
    for path, mark in marks.items():
        if mark != marks[first] and isinstance(mark, str) and isinstance(marks[first], str):
            raise AdairError(
                f"{path}: is for another foundation than {first}; only adapters for one foundation can be merged, "
                "so train one of them again on the other's"
            )


def _check_kinds(files: Sequence[Path], loaded: Sequence[LoadedAdapter], weights: Sequence[float]) -> None:
    if all(isinstance(one.adapter, MergeAdapter) for one in loaded):
        return
    named = ", ".join(f"{path} (kind {one.adapter.kind})" for path, one in zip(files, loaded, strict=True))
    blend = ",".join(f"{one.task}={weight:g}" for one, weight in zip(loaded, weights, strict=True))
    raise AdairError(
        f"{named}: only adapters of kind merge can become one file; blend them when restoring: "
        f"adair restore {' '.join(f'--adapter {path}' for path in files)} --task {blend}"
    )


def _card(
    files: Sequence[Path], loaded: Sequence[LoadedAdapter], weights: Sequence[float], combined: Combined
) -> dict[str, Any]:
    parents = [
        {
            "file": path.name,
            "task": one.task,
            "weight": weight,
            "rank": one.adapter.options["rank"],
            "fingerprint": fingerprint(one.adapter.state_dict()),
            **{key: one.card[key] for key in ("recipe", "licence") if key in one.card},
        }
        for path, one, weight in zip(files, loaded, weights, strict=True)
    ]
    licences = dict.fromkeys(str(parent.get("licence", "not stated")) for parent in parents)
    return {
        "merged": {
            "parents": parents,
            "rank": combined.adapter.options["rank"],
            "exact_rank": combined.exact_rank,
            "relative_error": float(f"{combined.error:.3g}"),
        },
        "licence": " and ".join(licences),
    }
