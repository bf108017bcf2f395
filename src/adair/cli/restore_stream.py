"""``adair restore - -o -``: one image from standard input, or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adair.errors import AdairError, InputError, one_line

if TYPE_CHECKING:
    from adair.restore.options import RestoreOptions
    from adair.restore.restoration import FileRestorer
    from adair.restore.single import FileOptions

STREAM = "-"


def restore_stream(
    images: Sequence[str],
    output: str | None,
    extension: str | None,
    overwrite: bool,
    restorer: FileRestorer,
    options: RestoreOptions,
    files: FileOptions,
) -> None:
    """Restore one image.

    Args:
        images: one word, "-" for standard input.
        output: a file, or "-" for standard output, which is also the default for an image from standard input.
        extension: extension of the result, if it goes to standard output; None for the format of the input.
        overwrite: whether an existing ``output`` is replaced.

    Raises:
        InputError: several images, standard output is a terminal, or a stream that is needed is closed.
        AdairError: as `restore_file`.
    """
    from adair.images import encode_image, read_image, write_image
    from adair.images.image_file import result_suffix
    from adair.images.parts import explain
    from adair.images.reading import decode_image, most_bytes
    from adair.images.sniff import find_format, suffix_of
    from adair.restore.single import check_free

    if len(images) != 1:
        raise InputError("- stands for one image; give it alone")
    target = None if output in (None, STREAM) else Path(str(output))
    if STREAM in images and sys.stdin is None:
        raise InputError("-: standard input is closed; give a file, or pipe an image in")
    if target is None and sys.stdout is None:
        raise InputError("-o -: standard output is closed; write into a file or a pipe")
    if target is None and sys.stdout.isatty():
        raise InputError("-o -: standard output is a terminal; write into a file or a pipe")
    if target is not None:
        check_free(target, overwrite)
    if images[0] == STREAM:
        name = Path("standard input")
        data = sys.stdin.buffer.read(most_bytes(files.max_pixels) + 1)
        if len(data) > most_bytes(files.max_pixels):
            raise InputError(f"{name}: more than {most_bytes(files.max_pixels):,} bytes; raise --max-megapixels")
        image, suffix = decode_image(data, name, files.max_pixels), suffix_of(find_format(data))
    else:
        name = Path(images[0])
        image, suffix = read_image(name, files.max_pixels), result_suffix(name.suffix)
    restored = restorer.run(image, options)
    result = restored.image
    if target is not None:
        notes = write_image(target, result.pixels, result, files.quality, overwrite, files.tiff)
    else:
        encoded, notes = encode_image(
            Path(f"standard output{extension or suffix}"), result.pixels, result, files.quality, files.tiff
        )
        try:
            sys.stdout.buffer.write(encoded)
            sys.stdout.buffer.flush()
        except OSError as error:
            raise AdairError(f"standard output: cannot be written: {explain(error)}") from error
    for note in (*map(str, restored.advice), *image.notes, *notes):
        print(f"adair: {one_line(f'{name}: {note}')}", file=sys.stderr, flush=True)
