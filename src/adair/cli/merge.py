"""``adair merge``: one adapter file that is equivalent to a blend of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.names import FoundationFile, weights_file
from adair.errors import AdairError


def merge(
    files: Annotated[
        list[Path],
        typer.Argument(help="Adapters, named as for restore --adapter, or bundled tasks.", metavar="ADAPTER..."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new adapter file.")],
    weights: Annotated[
        str | None, typer.Option(help="Strength of each, such as 0.7,0.3; default: equal, with a sum of 1.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Name of the new task; default: the name of the file.")] = None,
    rank: Annotated[
        int | None, typer.Option(help="Rank of the result; default: exact if that keeps the file within 1.9 MB.")
    ] = None,
    foundation: FoundationFile = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Merge adapters into one file that is equivalent to their blend.

    This needs adapters of kind merge. Ranks add up. If the file would exceed 1.9 MB, or with --rank, the sum is reduced
    to a smaller rank; the relative error is printed and recorded in the card.
    """
    from adair.adapters import save_adapter
    from adair.adapters.merging import merge_files
    from adair.cli.show import print_facts, print_json, size
    from adair.restore.tasks import AUTO
    from adair.tasks import FOUNDATION
    from adair.weights import bundled_adapters, load_foundation

    if output.exists() and not overwrite:
        raise AdairError(f"{output}: exists; choose another name with -o, or replace it with --overwrite")
    name = task or output.stem
    if name in (AUTO, FOUNDATION):
        raise AdairError(f"{output}: task name '{name}' is taken; choose another with --task")
    bundled = bundled_adapters()
    names = [(str(path), path.exists()) for path in files]
    paths = [bundled[name] if name in bundled and not exists else weights_file(name) for name, exists in names]
    frozen = load_foundation(foundation)
    merged = merge_files(paths, _numbers(weights, len(paths)), frozen, rank)
    adapter = merged.combined.adapter
    save_adapter(output, adapter, foundation_fingerprint=frozen.fingerprint, task=name, card=merged.card)

    facts = {"file": str(output), "task": name, "bytes": output.stat().st_size, **merged.card["merged"]}
    facts["licence"] = merged.card["licence"]
    if as_json:
        print_json(facts)
        return
    parents = facts.pop("parents")
    exact_rank = facts.pop("exact_rank", None)
    facts["bytes"] = f"{facts['bytes']:,} ({size(facts['bytes'])})"
    facts["acts like"] = " + ".join(f"{parent['weight']:g} x {parent['task']}" for parent in parents)
    if exact_rank is not None and facts["rank"] < exact_rank:
        facts["rank"] = f"{facts['rank']}; --rank {exact_rank} would be exact, in a larger file"
    facts["use it"] = f"adair restore PHOTO --adapter {output} --task {name}"
    print_facts(facts)


def _numbers(text: str | None, count: int) -> list[float]:
    """Return the given weights; equal ones by default."""
    if text is None:
        return [1 / count] * count
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise AdairError(f"--weights {text}: not a list of numbers; give one for each file, such as 0.7,0.3") from None
