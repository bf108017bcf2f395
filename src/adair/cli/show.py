"""Output on the terminal: JSON for programs, aligned lines for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_json(value: Any) -> None:
    """Print strict JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def plain(value: object) -> Text:
    """Return text as one plain line, without markup, and with control characters from files made visible."""
    shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return Text("".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print names and values in two columns; empty values are omitted, mappings are indented under their name."""
    grid = Table.grid(padding=(0, 2))
    _add(grid, facts, "")
    _console().print(grid)


def _console() -> Console:
    """Return a console as wide as the terminal, or wide in a pipe or a file."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def _add(grid: Table, facts: Mapping[str, Any], indent: str) -> None:
    for name, value in facts.items():
        label = plain(indent + str(name).replace("_", " "))
        if isinstance(value, Mapping):
            grid.add_row(label, "")
            _add(grid, value, indent + "  ")
        elif value not in (None, "", [], ()):
            grid.add_row(label, plain(value))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headings; a cell may have several lines."""
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text("\n").join(map(plain, str(cell).split("\n"))) for cell in row))
    _console().print(table)


def size(count: int) -> str:
    """Return a number of bytes as text, in units of 1000."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.2f} {unit}" if unit != "kB" else f"{count / step:.0f} kB"
    return f"{count} bytes"
