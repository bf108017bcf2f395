"""``adair inspect``: what is wrong with an image, and what ``--task auto`` would do about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adair.errors import AdairError, InputError, one_line

if TYPE_CHECKING:
    from adair.inspect import Advice


def inspect(
    images: Annotated[list[str], typer.Argument(help="Image files, folders of them, or '*.jpg'.", metavar="IMAGE...")],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search subfolders too.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; one line per image if there are several.")
    ] = False,
) -> None:
    """Show what is wrong with images: kinds of damage, how certain and how bad, and what task auto would do.

    A level is what it would be if the damage is present. Several images, or a folder, get a line each. Exit code 1:
    some images could not be read; 2: none could.
    """
    from adair.cli.show import print_facts, print_json, print_table
    from adair.images import read_image
    from adair.inspect import Inspector, advise
    from adair.restore.batch import expand_patterns
    from adair.weights import bundled_adapters

    paths = expand_patterns(images)
    if len(paths) > 1 or paths[0].is_dir():
        _inspect_all(paths, recursive, as_json)
        return
    advice = advise(Inspector().inspect(read_image(paths[0]).pixels), bundled_adapters())
    if as_json:
        print_json(_report(paths[0], advice))
        return
    rows = [
        (one.damage.name, f"{one.probability:.0%}", one.amount, one.damage.measure, one.task) for one in advice.findings
    ]
    print_table(("damage", "confidence", "level", "", "undone by"), rows)
    print_facts({"task auto": str(advice)})


def _inspect_all(paths: list[Path], recursive: bool, as_json: bool) -> None:
    """Print a line for every image, as soon as it is known."""
    from adair.images import FORMATS, read_image, suffixes_known
    from adair.inspect import Inspector, advise
    from adair.restore.batch import find_images
    from adair.weights import bundled_adapters

    files: list[Path] = []
    notes: list[str] = []
    known = suffixes_known()
    for path in paths:
        inside = find_images(path, recursive, notes) if path.is_dir() else ()
        found = [one for one in inside if one.suffix.lower() in known] if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: no images in this folder ({' '.join(FORMATS)} ...)")
        files += found
    for note in notes:
        print(f"adair: {note}", file=sys.stderr, flush=True)
    inspector, failed = Inspector(), 0
    for file in files:
        try:
            advice = advise(inspector.inspect(read_image(file).pixels), bundled_adapters())
        except AdairError as error:
            print(f"adair: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        print(json.dumps(_report(file, advice)) if as_json else one_line(f"{file}: {advice}"), flush=True)
    if failed:
        raise typer.Exit(1 if failed < len(files) else 2)


def _report(path: Path, advice: Advice) -> dict[str, Any]:
    return {"file": str(path), "damage": [_facts(one) for one in advice.findings], "auto": advice.plan}


def _facts(finding: Any) -> dict[str, Any]:
    return {
        "kind": finding.damage.name,
        "probability": round(finding.probability, 4),
        "level": round(finding.level, finding.damage.digits + 1),
        "measure": finding.damage.measure,
        "task": finding.task,
    }
