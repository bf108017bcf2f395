"""The location of the zoo's adapters: the package ``adair-zoo``, a checkout, or ``ADAIR_ZOO``."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import adair
from adair.errors import InputError
from adair.tasks import ZOO, canonical_name

PACKAGE = "adair_zoo"
WHERE = "ADAIR_ZOO"  # a folder or an address with NAME.safetensors for every name


def installed_zoo() -> dict[str, Path]:
    """Return the adapters of the package ``adair-zoo``, by task; empty if it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec.submodule_search_locations or []) if spec else []
    return {path.stem: path for folder in folders for path in sorted(Path(folder).glob("*.safetensors"))}


def zoo_place(name: str) -> str:
    """Return the path or the address of an adapter of the zoo.

    Args:
        name: of the task, or an alias.

    Raises:
        InputError: no task of the zoo, or one whose file is not on this machine.
    """
    task = canonical_name(name)
    if task not in ZOO:
        raise InputError(f"zoo/{name}: unknown name; the zoo has {', '.join(sorted(ZOO))}")
    where = os.environ.get(WHERE)
    if where:
        return f"{where.rstrip('/')}/{task}.safetensors"
    checkout = Path(adair.__file__).resolve().parents[2] / "zoo" / f"{task}.safetensors"
    path = installed_zoo().get(task, checkout)
    if not path.is_file():
        raise InputError(f"zoo/{task}: not on this machine; {remedy()}")
    return str(path)


def local_zoo() -> dict[str, Path]:
    """Return the adapters of the zoo that are on this machine, wherever they are, by task; nothing is fetched."""
    found = {}
    for task in ZOO:
        try:
            path = Path(zoo_place(task))
        except InputError:
            continue
        if path.is_file():
            found[task] = path
    return found


def remedy() -> str:
    """Return how to get the zoo."""
    return (
        f"'pip install packaging/adair-zoo' in a checkout installs it; or set {WHERE} to a folder or an https address "
        "that holds it"
    )
