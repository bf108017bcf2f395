"""Options that name weights: a file, a folder, the zoo, https or a hub; commands receive the path of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def weights_file(name: str) -> Path:
    """Return the file that a name on the command line refers to; see `adair.hub.locate`."""
    from adair.hub import locate

    return locate(name)


Adapters = Annotated[
    list[Path] | None,
    typer.Option(
        "--adapter",
        parser=weights_file,
        metavar="NAME",
        help="Adapter: a file, a folder, zoo/NAME, hf://user/name or https://...; repeat for more.",
    ),
]
FoundationFile = Annotated[
    Path | None,
    typer.Option(
        "--foundation",
        parser=weights_file,
        metavar="NAME",
        help="Foundation, as for adapters. Default: the bundled one.",
    ),
]
