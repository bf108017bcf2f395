"""``adair data``: list and download the public datasets for benchmarks and training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(help="List and download public test and training sets.", rich_markup_mode=None)

Into = Annotated[Path, typer.Option(help="Data folder, with a subfolder for every dataset.")]


@data.command("list")
def show(
    into: Into = Path("data"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the datasets: images, size, licence, address, and state in the data folder."""
    from adair.cli.show import print_json, print_table, size
    from adair.data import DATASETS

    facts = [
        {
            "name": entry.name,
            "purpose": entry.purpose,
            "about": entry.about,
            "images": entry.images,
            "folders": list(entry.folders),
            "present": entry.count(into),
            "bytes": entry.size,
            "licence": entry.licence,
            "address": entry.address,
            "downloads": [
                {"addresses": list(remote.addresses), "bytes": remote.size, "checksum": remote.checksum}
                for remote in entry.remotes
            ],
        }
        for entry in DATASETS.values()
    ]
    if as_json:
        print_json({"folder": str(into), "datasets": facts})
        return
    rows = []
    for entry in DATASETS.values():
        here = entry.count(into)
        rows.append(
            (
                entry.name,
                entry.purpose,
                f"{len(entry.parts)} x {entry.images}" if entry.parts else entry.images,
                "?" if entry.size is None else size(entry.size),
                "published" if all(remote.checksum for remote in entry.remotes) else "first fetch",
                "-" if here is None else "complete" if here == entry.images else f"{here} images",
                f"{entry.about}\nlicence: {entry.licence}\n{entry.address}",
            )
        )
    print_table(("name", "for", "images", "download", "checksum", f"in {into}", "what it is"), rows)
    print(
        "Checksum 'first fetch': none is published; that of the first download is recorded, and later ones must match."
    )


@data.command("fetch")
def get(
    names: Annotated[list[str], typer.Argument(help="Names from 'adair data list'.", metavar="NAME...")],
    into: Into = Path("data"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Download again and replace existing files.")] = False,
) -> None:
    """Download datasets, check and unpack them; existing ones are only checked.

    Run the command again to resume an interrupted download. Exit code 1: some are missing; 2: all are missing.
    """
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from adair.data import dataset, fetch

    entries = list({entry.name: entry for entry in map(dataset, names)}.values())
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        outcomes = fetch(
            entries,
            into,
            lambda text, done, total: bar.update(task, description=text, completed=done, total=total),
            overwrite,
        )
    for outcome in outcomes:
        if outcome.done:
            print(f"{outcome.name}: {outcome.text}")
        else:
            print(f"adair: {outcome.name}: {' '.join(outcome.text.split())}", file=sys.stderr)
    failed = sum(not outcome.done for outcome in outcomes)
    if failed:
        raise typer.Exit(1 if failed < len(outcomes) else 2)
