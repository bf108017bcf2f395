"""Export: build the network, write a temporary file, compare it with PyTorch, and only then rename it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from adair.errors import AdairError, InputError
from adair.export.compare import Comparison, Run, compare
from adair.export.darktable import darktable_file
from adair.export.formats import onnx_file, openvino_file, torch_file
from adair.export.network import build, card
from adair.export.options import ExportOptions
from adair.images.files import exists_error
from adair.images.parts import explain
from adair.restore import Restorer

Write = Callable[[nn.Module, Path, ExportOptions, str], Run]
"""Write a network with a card (JSON) to a path and return what runs that file."""


@dataclass(frozen=True)
class Format:
    """An export format: its extension, its writer, and the extension of a second file that it has."""

    extension: str
    write: Write
    second: str | None = None


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", onnx_file),
    "openvino": Format(".xml", openvino_file, ".bin"),
    "darktable": Format(".dtmodel", darktable_file),
    "torch": Format(".pt2", torch_file),
}


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        files: all files; OpenVINO has two.
        bytes: of all of them.
        comparison: with PyTorch.
        card: the card in the file.
    """

    files: tuple[Path, ...]
    bytes: int
    comparison: Comparison
    card: dict[str, Any]


def export(
    restorer: Restorer,
    options: ExportOptions,
    to: str,
    path: str | os.PathLike[str],
    photos: Sequence[Path] = (),
    overwrite: bool = False,
) -> Exported:
    """Write the network of a task as a file for another program, atomically.

    Args:
        restorer: on the CPU, in any precision; its float32 weights are exported.
        options: what is exported.
        to: one of `FORMATS`.
        path: the file, with the extension of the format.
        photos: what the comparison with PyTorch runs on; see `compare`.
        overwrite: whether existing files are replaced.

    Raises:
        AdairError: an unknown format or task, a missing package, an existing file, a folder that cannot be written to,
            or a network that differs from PyTorch's (then nothing is written).
    """
    if to not in FORMATS:
        raise InputError(f"format '{to}': no such format; use {', '.join(FORMATS)}")
    path, form = Path(path), FORMATS[to]
    if path.suffix != form.extension:
        raise InputError(f"{path}: a file for {to} ends in {form.extension}")
    for file in (path, *([path.with_suffix(form.second)] if form.second else [])):
        if file.exists() and not overwrite:
            raise exists_error(file)
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    facts = card(restorer, options)
    network = build(restorer, options).cpu()
    try:
        with tempfile.TemporaryDirectory(prefix=".adair-", dir=path.parent) as aside:
            run = form.write(network, Path(aside) / path.name, options, json.dumps(facts))
            comparison = compare(run, network, options, photos)
            files = sorted(Path(aside).iterdir(), key=lambda file: file.suffix != form.extension)
            total = sum(file.stat().st_size for file in files)
            for file in reversed(files):  # the one that names the export comes last
                file.replace(path.parent / file.name)
    except OSError as error:
        raise AdairError(f"{path}: cannot be written: {explain(error)}") from error
    return Exported(tuple(path.parent / file.name for file in files), total, comparison, facts)
