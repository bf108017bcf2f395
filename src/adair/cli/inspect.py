"""``adair inspect``: what is wrong with an image, and what ``--task auto`` would do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def inspect(
    image: Annotated[Path, typer.Argument(help="An image file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong with an image: kinds of damage, how sure and how bad, and what task auto would do.

    The level of a damage is what it would be if the damage is there.
    """
    from adair.cli.show import print_facts, print_json, print_table
    from adair.images import read_image
    from adair.inspect import Inspector, advise
    from adair.weights import bundled_adapters

    advice = advise(Inspector().inspect(read_image(image).pixels), bundled_adapters())
    if as_json:
        print_json({"file": str(image), "damage": [_facts(one) for one in advice.findings], "auto": advice.plan})
        return
    rows = [
        (one.kind.name, f"{one.probability:.0%}", one.amount, one.kind.measure, one.kind.task)
        for one in advice.findings
    ]
    print_table(("damage", "confidence", "level", "", "undone by"), rows)
    print_facts({"task auto": str(advice)})


def _facts(finding: Any) -> dict[str, Any]:
    return {
        "kind": finding.kind.name,
        "probability": round(finding.probability, 4),
        "level": round(finding.level, finding.kind.digits + 1),
        "measure": finding.kind.measure,
        "task": finding.kind.task,
    }
