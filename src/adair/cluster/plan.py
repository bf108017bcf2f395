"""Which files to restore and which are done, decided from two listings and a small file in the target."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from adair.cluster.storage import Entry, Storage
from adair.errors import InputError
from adair.images import FORMATS
from adair.restore.batch import OTHER_FOLDER, Naming
from adair.restore.runner import Existing

STATE = ".adair-cluster.json"


@dataclass(frozen=True)
class Item:
    """A file to restore and its result, by their names in source and target."""

    source: str
    target: str


@dataclass(frozen=True)
class ClusterPlan:
    """Items, grouped by what happens to them.

    Attributes:
        todo: to be restored.
        done: restored by an earlier run, or to be left alone.
        taken: their targets exist, but are not results of ours.
        notes: what was skipped in the source, one line each.
    """

    todo: tuple[Item, ...]
    done: tuple[Item, ...]
    taken: tuple[Item, ...]
    notes: tuple[str, ...]


def make_plan(
    source: Storage,
    target: Storage,
    naming: Naming,
    mark: str,
    existing: Existing = "resume",
    recursive: bool = False,
    keep_state: bool = True,
) -> ClusterPlan:
    """Compare source and target, and leave a state file in the target.

    Where the target is a folder of the source, what lies in it is not a source.

    The state file contains a mark of the settings, and the names of foreign files that existed when it was written.
    Results are written atomically. So a result that is not foreign, and newer than the state file and its source, is
    done; an older one was made with other settings or from another source, and is made again. All times are those of
    the storage's clock.

    Args:
        source, target: where files come from and go to.
        naming: how results are named.
        mark: a hash of the settings of this run, see `Restorer.mark`.
        existing: "resume" as above; "skip" leaves all existing targets alone; "overwrite" makes all again.
        recursive: whether to search subfolders, too.
        keep_state: whether to write the state file; not for dry runs.

    Raises:
        InputError: no images in the source, two of them with the same target, or one that is its own target.
        AdairError: the storage does not respond.
    """
    entries = source.list(recursive)
    if (below := target.place_in(source)) is not None:  # results are no sources, as on one machine
        entries = {name: entry for name, entry in entries.items() if not name.startswith(below)}
    notes = [
        f"{source.url_of(name)}: skipped, its name is not that of an image" for name in entries if not _image(name)
    ]
    items = _items([name for name in sorted(entries) if _image(name)], naming)
    if not items:
        deeper = "" if recursive else "; --recursive also searches its folders"
        raise InputError(f"{source.url}: no images in this folder ({' '.join(FORMATS)}){deeper}")
    own = next((item.target for item in items if item.source == item.target and target.is_same(source)), None)
    if own is not None:
        raise InputError(
            f"{target.url_of(own)}: is the file to read; the result would replace it, so choose another -o"
        )
    results = target.list()
    state = _read_state(target)
    if state is not None and state["settings"] == mark and existing != "overwrite":
        entry = target.find(STATE)
        since = 0.0 if entry is None else entry.modified
    else:
        foreign = sorted(item.target for item in items if item.target in results) if state is None else state["foreign"]
        state = {"settings": mark, "foreign": [] if existing == "overwrite" else foreign}
        since = math.inf  # all existing files are older
        if keep_state:
            target.write(STATE, json.dumps(state).encode())
    foreign = set(state["foreign"])
    groups: dict[str, list[Item]] = {"todo": [], "done": [], "taken": []}
    for item in items:
        result = results.get(item.target)
        groups[_group(item, entries[item.source], result, foreign, since, existing)].append(item)
    return ClusterPlan(tuple(groups["todo"]), tuple(groups["done"]), tuple(groups["taken"]), tuple(notes))


def _group(item: Item, source: Entry, result: Entry | None, foreign: set[str], since: float, existing: Existing) -> str:
    if result is None or existing == "overwrite":
        return "todo"
    if existing == "skip":
        return "done"
    if item.target in foreign:
        return "taken"
    return "done" if result.modified >= since and result.modified >= source.modified else "todo"


def _items(names: list[str], naming: Naming) -> list[Item]:
    items: dict[str, Item] = {}
    for name in names:
        path = Path(name)
        result = path.with_name(naming.name(path, OTHER_FOLDER)).as_posix()
        item = items.setdefault(result, Item(name, result))
        if item.source != name:
            raise InputError(f"{result}: {item.source} and {name} would both be written there; restore them one by one")
    return list(items.values())


def _image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in FORMATS


def _read_state(target: Storage) -> dict[str, Any] | None:
    if target.find(STATE) is None:
        return None
    try:
        state = json.loads(target.read(STATE))
    except ValueError:
        state = None
    if not (
        isinstance(state, dict) and isinstance(state.get("settings"), str) and isinstance(state.get("foreign"), list)
    ):
        raise InputError(f"{target.url_of(STATE)}: is damaged; delete it and add --overwrite, or choose another target")
    return state
