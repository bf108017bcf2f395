"""Restoring one file into another: the path that the command, the page, the server and a cluster share."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from adair.errors import InputError
from adair.images import MAX_PIXELS, decode_image, write_image, write_whole
from adair.images.files import exists_error, read_stable
from adair.images.image_file import CLASSIC, TiffOptions, check_quality, output_format
from adair.images.pages import Pages, read_pages, write_pages
from adair.images.reading import most_bytes
from adair.images.sniff import find_format
from adair.restore.clips import is_video
from adair.restore.options import RestoreOptions
from adair.restore.restoration import FileRestorer, Progress
from adair.restore.tasks import TaskSpec, is_auto

if TYPE_CHECKING:
    from adair.inspect import Advice
    from adair.restore.restorer import Restorer

_default: list[Restorer] = []  # the bundled one, shared by all calls without a restorer of their own
_loading = threading.Lock()


@dataclass(frozen=True)
class FileOptions:
    """How files are read and written.

    Attributes:
        quality: 1 to 100 for JPEG, WebP, AVIF and videos; 100 is lossless in WebP and AVIF.
        overwrite: whether an existing target is replaced; otherwise it is an error.
        max_pixels: larger images are refused, because they may be decompression bombs.
        codec: how videos are compressed, a key of `adair.video.encoding.ENCODERS`; None for as the source is.
        tiff: how TIFFs are written.

    Raises:
        InputError: a quality that is not 1 to 100, or a limit that is not positive.
    """

    quality: int = 95
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    codec: str | None = None
    tiff: TiffOptions = CLASSIC

    def __post_init__(self) -> None:
        check_quality(self.quality)
        if self.max_pixels < 1:
            raise InputError(f"max_pixels {self.max_pixels}: must be positive; give the largest size that you expect")


@dataclass(frozen=True)
class FileResult:
    """A file that was restored.

    Attributes:
        source, target: the files.
        megapixels: size of the result, all pages together.
        seconds: time for reading, restoring and writing.
        advice: what task "auto" found on the first page; None for other tasks.
        notes: what was lost or converted on the way, one line each.
    """

    source: Path
    target: Path
    megapixels: float
    seconds: float
    advice: Advice | None = None
    notes: tuple[str, ...] = field(default=())


def restore_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    task: TaskSpec | None = None,
    *,
    options: RestoreOptions | None = None,
    files: FileOptions = FileOptions(),
    restorer: FileRestorer | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Restore an image file; colour profile, metadata, alpha and bit depth are kept.

    Args:
        source: the image file.
        target: where the result goes; its extension decides the format. It is written atomically.
        task: what to undo; short for ``options=RestoreOptions(task)``.
        options: how the image is restored; give this or ``task``.
        files: how files are read and written.
        restorer: the restorer; None for one with the bundled weights, which is loaded once.
        progress: as for `Restorer.restore`; raising `Interrupted` in it cancels, and nothing is written.

    Raises:
        AdairError: a file that cannot be read or written, an existing target, or whatever `Restorer.restore` raises.

    Example:
        >>> import adair
        >>> adair.restore_file("scan.jpg", "better.png", task="dejpeg > denoise")  # doctest: +SKIP
    """
    source, target = Path(source), Path(target)
    chosen = either(task, options, "restore_file")
    restorer = restorer or bundled_restorer()
    restorer.check(chosen)
    if is_video(target):
        raise InputError(f"{target}: is the name of a video; restore videos with adair.restore_video")
    check_free(target, files.overwrite)
    start = time.perf_counter()
    folder = target.parent  # where pixels too large for memory go
    data = read_stable(source, most_bytes(files.max_pixels), folder)
    pages = read_pages(data, source, target, files.max_pixels, folder) or Pages(
        (decode_image(data, source, files.max_pixels, folder),)
    )
    may_copy = (is_auto(chosen.task) or chosen.changes_nothing) and find_format(data) == output_format(target)
    original = data if may_copy else None
    del data
    restored = [
        restorer.run(image, chosen, progress and partial(_of_pages, progress, number, len(pages.images)))
        for number, image in enumerate(pages.images)
    ]
    results = tuple(one.image for one in restored)
    unchanged = all(result is image for result, image in zip(results, pages.images, strict=True))
    notes = tuple(dict.fromkeys(note for image in pages.images for note in image.notes))
    if unchanged and original is not None and files.tiff == CLASSIC:  # nothing to do, so nothing is lost either
        write_whole(target, original, files.overwrite)
        notes = ()
    elif len(results) > 1:
        notes += write_pages(target, replace(pages, images=results), files.quality, files.overwrite, files.tiff)
    else:
        notes += write_image(target, results[0].pixels, results[0], files.quality, files.overwrite, files.tiff)
    megapixels = sum(result.pixels.shape[0] * result.pixels.shape[1] for result in results) / 1e6
    advice = restored[0].advice[0] if restored[0].advice else None
    return FileResult(source, target, megapixels, time.perf_counter() - start, advice, notes)


def either(task: TaskSpec | None, options: RestoreOptions | None, function: str) -> RestoreOptions:
    """Return the options that were given, or those that a task is short for.

    Raises:
        InputError: both were given to ``function``, or neither.
    """
    if options is not None and task is None:
        return options
    if task is not None and options is None:
        return RestoreOptions(task)
    raise InputError(f"{function} needs either a task or options, not both")


def _of_pages(progress: Progress, page: int, pages: int, done: int, total: int) -> None:
    progress(page * total + done, pages * total)


def check_free(target: Path, overwrite: bool) -> None:
    """Raise `AdairError` if ``target`` exists and may not be replaced."""
    if target.exists() and not overwrite:
        raise exists_error(target)


def bundled_restorer() -> Restorer:
    """Return the restorer with the bundled weights, which is loaded once for all calls."""
    from adair.restore.restorer import Restorer

    with _loading:
        if not _default:
            _default.append(Restorer.load())
        return _default[0]
