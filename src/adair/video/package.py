"""PyAV, which reads and writes videos; an extra, because few need it and its wheels are large."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adair.errors import AdairError, InputError


def load_av(path: Path) -> Any:
    """Import PyAV.

    Raises:
        InputError: it is not installed; the message names ``path`` and says how to install it.
    """
    os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder would print its settings for every piece; errors only
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise InputError(
            f"{path}: is a video, and PyAV, which reads and writes it, is not installed: pip install 'adair[video]'"
        ) from error


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn FFmpeg's errors into one line that names the file.

    Args:
        path: the file.
        what: the failed action, such as "cannot be read as a video".

    Raises:
        AdairError: FFmpeg failed.
    """
    av = load_av(path)
    try:
        yield
    except av.error.FFmpegError as error:
        raise AdairError(f"{path}: {what} ({error.strerror or type(error).__name__})") from error
