"""``adair adopt``: a published checkpoint as a foundation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def adopt(
    checkpoint: Annotated[Path, typer.Argument(help="NAFNet or Restormer: .safetensors, or .pth.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The foundation file.")],
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, stored in the file.")] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Read tensors (but no code) from PyTorch's format.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert a published NAFNet or Restormer checkpoint to a foundation, for restoring and for training adapters."""
    from adair.cli.show import print_facts
    from adair.errors import InputError
    from adair.weights import read_header
    from adair.weights.published import import_foundation

    if output.exists() and not overwrite:
        raise InputError(f"{output}: exists; choose another name with -o, or replace it with --overwrite")
    import_foundation(checkpoint, output, allow_pickle=allow_pickle, card={"licence": licence} if licence else {})
    header = read_header(output)
    print_facts(
        {
            "file": str(output),
            "backbone": header.metadata["backbone"],
            "config": header.metadata["config"],
            "parameters": f"{header.parameters:,}",
            "use it": f"adair restore PHOTO --foundation {output} --task foundation",
        }
    )
