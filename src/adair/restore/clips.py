"""Names of video files: which there are, and what results are called."""

from __future__ import annotations

from pathlib import Path

from adair.errors import InputError
from adair.images.image_file import output_format, result_suffix

# Extension to the name that FFmpeg has for the container.
CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
# Read and not written; their results are Matroska, which holds every kind of sound and subtitles.
READ_ONLY = (
    ".3gp", ".avi", ".dv", ".flv", ".m2ts", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".wmv",
)  # fmt: skip
SUFFIXES = frozenset(CONTAINERS) | frozenset(READ_ONLY)


def is_video(path: Path) -> bool:
    """Whether a file is a video by its name."""
    return path.suffix.lower() in SUFFIXES


def suffix_of_result(source: str) -> str:
    """Extension of the result of an image or a video: that of the source, unless its format is only read."""
    return ".mkv" if source.lower() in READ_ONLY else result_suffix(source)


def container_of(path: Path) -> str:
    """Name that FFmpeg has for the container that the extension of ``path`` stands for.

    Raises:
        InputError: for any extension that is not in `CONTAINERS`.
    """
    try:
        return CONTAINERS[path.suffix.lower()]
    except KeyError:
        what = f"{path.suffix[1:].upper()} cannot be written" if is_video(path) else f"'{path.suffix}' is not a video"
        raise InputError(f"{path}: {what}; use one of {' '.join(CONTAINERS)}") from None


def check_name(target: Path, source: Path | None = None) -> None:
    """Check that a result may have a name.

    Args:
        target: its name.
        source: what it is made of; None if that is not known yet.

    Raises:
        AdairError: the extension is not one that is written, or not one of videos where ``source`` is a video.
    """
    if is_video(target if source is None else source):
        container_of(target)
    else:
        output_format(target)
