"""Error messages for visitors."""

from __future__ import annotations

import html

from adair.errors import AdairError, one_line
from adair.ui.desk import Desk


def failure(desk: Desk, error: AdairError | str, upload: object = None) -> str:
    """Return one line of HTML that shows the names of uploads, but not the private folder.

    Args:
        upload: path of the file that the message is about, if any.
    """
    text = named(desk, str(error), upload)
    return f'<p role="alert"><strong>{html.escape(one_line(text))}</strong></p>'


def named(desk: Desk, text: str, upload: object = None) -> str:
    """Replace the path of an upload by its name."""
    if upload is not None:
        text = text.replace(str(upload), str(upload).replace("\\", "/").rpartition("/")[2])
    return text.replace(str(desk.workspace.folder), "")
