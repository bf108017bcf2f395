"""``adair push``: publish an adapter with its card on a hub or in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from adair.cli.names import FoundationFile


def push(
    adapter: Annotated[str, typer.Argument(help="The adapter: a file, or a name as for restore --adapter.")],
    target: Annotated[str, typer.Argument(help="hf://user/name, or a folder.")],
    photo: Annotated[Path | None, typer.Option(help="A photo for the card, which shows it before and after.")] = None,
    licence: Annotated[str | None, typer.Option(help="Such as apache-2.0. Default: the one in the file.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files in a folder.")] = False,
    foundation: FoundationFile = None,
) -> None:
    """Publish an adapter with a card: what it does, its figures with their protocols, training, licence, how to use it.

    A hub needs the extra 'hub' and a token with write access (HF_TOKEN, or that of 'hf auth login'). A folder needs
    neither; any web server can serve it, for 'adair pull https://...'. Without --photo the card shows the sheet that
    training left next to the adapter, if there is one.
    """
    from adair.hub import locate
    from adair.hub.publish import push as publish

    path = locate(adapter)
    picture = _picture(path, photo, foundation)
    if picture is None:
        print("adair: the card has no image; --photo FILE adds one", file=sys.stderr)
    done = publish(path, target, picture=picture, licence=licence, private=private, overwrite=overwrite)
    print(f"{done.place}: {', '.join(done.files)}")


def _picture(adapter: Path, photo: Path | None, foundation: Path | None) -> bytes | None:
    from adair.hub.picture import before_after
    from adair.images import read_image

    if photo is None:
        sheet = adapter.with_suffix(".sheet.png")
        return as_webp(sheet) if sheet.is_file() else None
    from adair.restore import Restorer

    restorer = Restorer.load(foundation)
    task = restorer.add_adapter(adapter, replace=True)
    image = read_image(photo)
    return before_after(image.pixels, restorer.restore(image, task).pixels)


def as_webp(path: Path) -> bytes:
    """Return an image as WebP."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
