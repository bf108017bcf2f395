"""``adair export``: the network of a task as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.names import Adapters, FoundationFile


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file: .onnx, .xml (OpenVINO), .dtmodel, .pt2.")],
    task: Annotated[
        list[str],
        typer.Option("--task", "-t", help="As for 'adair restore': a task, a blend, or 'dejpeg > denoise'."),
    ],
    to: Annotated[str, typer.Option(help="onnx, openvino, darktable or torch.")] = "onnx",
    scale: Annotated[int | None, typer.Option(help="2, 3 or 4; only for task sr, whose file enlarges.")] = None,
    size: Annotated[int | None, typer.Option(help="Fixed side of the input: 256, 512. Default: any size.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Weights in float16: half the file size.")] = False,
    runner: Annotated[
        bool, typer.Option("--runner", help="Also write adair_onnx.py, which runs the file without AdaIR.")
    ] = False,
    photo: Annotated[
        list[Path] | None, typer.Option(help="Compare with PyTorch on this photo; repeat for more.")
    ] = None,
    foundation: FoundationFile = None,
    adapter: Adapters = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Export the network of a task, adapters merged, for programs that do not have AdaIR.

    The file is compared with PyTorch on photos, and deleted if it differs. It contains the card: the task, the adapters
    with their measured figures, the licence. For darktable, versions.json and releases-index.json next to it list all
    packages of the folder, as in a repository of models.
    """
    from adair.cli.show import print_facts, print_json
    from adair.cli.show import size as bytes_in_words
    from adair.errors import InputError
    from adair.export import ExportOptions
    from adair.export import export as write
    from adair.export.darktable import check_repository
    from adair.images import write_whole
    from adair.restore import Restorer

    if runner and to != "onnx":
        raise InputError(f"--runner is for --to onnx, not for {to}")
    beside = output.parent / "adair_onnx.py"
    script = _runner(beside, overwrite) if runner else b""
    if to == "darktable" and not overwrite:
        check_repository(output.parent)
    options = ExportOptions(task[0] if len(task) == 1 else tuple(task), scale, size, half)
    restorer = Restorer.load(foundation, "cpu", "fp32")
    for path in adapter or []:
        restorer.add_adapter(path, replace=True)
    written = write(restorer, options, to, output, photo or (), overwrite)
    files = [*written.files]
    if runner:
        write_whole(beside, script)
        files.append(beside)
    if to == "darktable":
        from adair import __version__
        from adair.export.darktable import write_repository

        write_repository(output.parent, f"adair-{__version__}")
    difference = written.comparison.max_difference * 255
    facts = {
        "file": [str(file) for file in files],
        "task": written.card["task"],
        "bytes": written.bytes,
        "compared on": written.comparison.photos,
        "max_difference_of_255": round(difference, 4),
        "psnr_to_torch": round(written.comparison.psnr, 1),
    }
    if as_json:
        print_json(facts)
        return
    facts["bytes"] = f"{written.bytes:,} ({bytes_in_words(written.bytes)})"
    facts["compared on"] = f"{written.comparison.photos} photos, against PyTorch in float32"
    print_facts(facts)


def _runner(path: Path, overwrite: bool) -> bytes:
    """Return what `--runner` writes to ``path``, unless that is another file."""
    from importlib.resources import files

    from adair.errors import AdairError

    script = files("adair.runtimes").joinpath("standalone.py").read_bytes()
    if path.exists() and not overwrite and (path.is_dir() or path.read_bytes() != script):
        raise AdairError(f"{path}: exists and is not this runner; choose another folder with -o, or add --overwrite")
    return script
