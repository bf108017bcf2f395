"""Public names of a package that are imported when they are first used, so that importing the package costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the module ``__getattr__`` (PEP 562) of a package.

    Args:
        package: its ``__name__``.
        homes: public name to the full name of the module that defines it.

    The names are imported under ``TYPE_CHECKING`` as well, so that type checkers and editors know them::

        __getattr__ = lazy_names(__name__, {"Restorer": "adair.restore.restorer"})
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)  # the next use finds it without asking here
        return value

    return find
