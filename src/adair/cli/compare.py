"""``adair compare``: metrics of an image against its reference, and a page that shows both."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from adair.errors import AdairError


def compare(
    reference: Annotated[Path, typer.Argument(help="The image without damage.", metavar="REFERENCE")],
    image: Annotated[Path, typer.Argument(help="The image to measure.", metavar="IMAGE")],
    html: Annotated[Path | None, typer.Option(help="Write a page with a slider and a difference map.")] = None,
    crop: Annotated[int, typer.Option(help="Pixels to leave out at each border; for super-resolution, the scale.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how an image differs from a reference of the same size, and show the difference.

    The page is a single file without external links. It shows images of up to 8 megapixels at full size, and larger
    ones reduced.
    """
    from adair.cli.show import print_json, print_table
    from adair.compare import PROTOCOLS, measure, page
    from adair.compare.page import figures
    from adair.images import read_image
    from adair.images.files import write_whole

    if html is not None and html.exists() and not overwrite:
        raise AdairError(f"{html}: exists; choose another name with --html, or replace it with --overwrite")
    first, second = read_image(reference), read_image(image)
    try:
        comparison = measure(first, second, crop)
    except AdairError as error:
        raise AdairError(f"{reference} and {image}: {error}") from error
    if html is not None:
        text = page(comparison, first, second, _names(reference, image))
        write_whole(html, text.encode())
    files = [(str(path), each.pixels.dtype.itemsize * 8, each) for path, each in ((reference, first), (image, second))]
    if as_json:
        facts = [
            {"file": path, "bits": bits, "channels": each.pixels.shape[2], "alpha": each.alpha is not None}
            for path, bits, each in files
        ]
        page_file = None if html is None else str(html)
        numbers = dataclasses.asdict(comparison)
        print_json({"reference": facts[0], "image": facts[1], **numbers, "protocols": PROTOCOLS, "page": page_file})
        return
    for path, bits, each in files:
        kind = ("gray" if each.pixels.shape[2] == 1 else "RGB") + (" and alpha" if each.alpha is not None else "")
        print(f"{path}: {comparison.width}x{comparison.height}, {kind}, {bits} bits")
    print_table(("metric", "value", "how it is measured"), figures(comparison))
    for note in comparison.notes:
        print(f"note: {note}")
    if html is not None:
        print(f"-> {html}")


def _names(reference: Path, image: Path) -> tuple[str, str]:
    """Return the names of two files, with their folders if the names are equal."""
    if reference.name != image.name:
        return reference.name, image.name
    return f"{reference.resolve().parent.name}/{reference.name}", f"{image.resolve().parent.name}/{image.name}"
