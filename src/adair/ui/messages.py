"""What a visitor reads when something went wrong."""

from __future__ import annotations

import html

from adair.errors import AdairError, one_line
from adair.ui.desk import Desk


def failure(desk: Desk, error: AdairError | str, upload: object = None) -> str:
    """Return one line of HTML in which uploads have their names, and the private folder does not show.

    Args:
        upload: path of the file that it is about, if any.
    """
    text = named(desk, str(error), upload)
    return f'<p role="alert"><strong>{html.escape(one_line(text))}</strong></p>'


def named(desk: Desk, text: str, upload: object = None) -> str:
    """The same text with the name of an upload in place of its path."""
    if upload is not None:
        text = text.replace(str(upload), str(upload).replace("\\", "/").rpartition("/")[2])
    return text.replace(str(desk.workspace.folder), "")
