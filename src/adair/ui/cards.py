"""Adapters as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adair.restore.library import AdapterInfo
from adair.tasks import find_task

COLUMNS = ("Task", "What it does", "Measured", "Size", "Kind", "Learned to undo", "Licence")
MOST_FIGURES = 4


def card_rows(adapters: Mapping[str, AdapterInfo]) -> list[list[str]]:
    """Return a row of `COLUMNS` for each adapter, from whatever its author recorded."""
    return [_row(info) for info in adapters.values()]


def _row(info: AdapterInfo) -> list[str]:
    task = find_task(info.name)
    what = task.summary if task else "+".join(f"{part} {weight:g}" for part, weight in info.parts.items())
    size = f"{info.bytes / 1e6:.2f} MB" if info.bytes else ""
    recipe, licence = info.card.get("recipe", ""), info.card.get("licence", info.card.get("license", ""))
    return [info.name, what, _figures(info.card), size, info.kind, _short(recipe, 80), _short(licence)]


def _figures(card: Mapping[str, Any]) -> str:
    """Return measured figures; if there are none, those of the validation during training."""
    measured = card.get("measured")
    if isinstance(measured, list):
        rows = [one for one in measured if isinstance(one, Mapping) and isinstance(one.get("adapter"), float)]
        found = [f"{one.get('dataset')}, {one.get('setting')}: {one['adapter']:.2f} dB" for one in rows]
    else:
        validation = card.get("validation")
        restored = validation.get("restored") if isinstance(validation, Mapping) else None
        found = [f"{name}: {value} dB" for name, value in restored.items()] if isinstance(restored, Mapping) else []
    return _short("; ".join(found[:MOST_FIGURES]), 240)


def _short(value: object, most: int = 160) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= most else text[: most - 1] + "…"
