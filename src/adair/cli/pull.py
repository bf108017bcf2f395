"""``adair pull``: fetch adapters from the zoo, a hub or the web."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def pull(
    names: Annotated[
        list[str], typer.Argument(help="zoo/NAME, hf://user/name, https://... or a folder.", metavar="NAME...")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for copies. Default: only the cache.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing copies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fetch adapters, check them, and show how to use them.

    They stay in the cache ($ADAIR_CACHE), where all commands find them under the same name, even offline; pull one
    again to update it.
    """
    from adair.cli.show import print_facts, print_json
    from adair.hub import pull as fetch

    found = []
    for name in names:
        found.append(_facts(fetch(name), output, overwrite))
        if not as_json:
            print_facts(found[-1])
    if as_json:
        print_json({"adapters": found})


def _facts(located: Any, output: Path | None, overwrite: bool) -> dict[str, Any]:
    from adair.adapters import load_adapter
    from adair.data.download import digest
    from adair.images.files import write_whole
    from adair.weights import bundled_foundation, load_foundation, read_header
    from adair.weights.cards import describe_weights

    path = located.path
    known = describe_weights(read_header(path))
    foundation = load_foundation(bundled_foundation())
    fits = known.get("foundation") == foundation.fingerprint
    if fits:
        load_adapter(path, foundation)
    if output is not None:
        path = output / path.name
        write_whole(path, located.path.read_bytes(), overwrite)
    name = located.name if output is None else path
    task = known.get("task")
    return {
        "name": located.name,
        "file": str(path),
        "task": task,
        "bytes": known["bytes"],
        "sha256": digest(path),
        "licence": known.get("licence"),
        "revision": located.record.revision if located.record else "",
        "fits_bundled_foundation": fits,
        "use": f"adair restore PHOTO --adapter {name} --task {task}",
    }
