"""Pages whose text is a file outside this folder; the file's links are made to start from here."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
PAGES = {
    "zoo": DOCS.parent / "zoo" / "README.md",
    "weight-recipes": DOCS.parent / "recipes" / "README.md",
    "contributing": DOCS.parent / "CONTRIBUTING.md",
}


def with_links_from(file: Path, home: Path) -> str:
    """The text of ``file`` with its relative links as they must read in a page of the folder ``home``."""

    def moved(link: re.Match[str]) -> str:
        target = (file.parent / link["path"]).resolve()
        page = next((DOCS / f"{name}.md" for name, text in PAGES.items() if text == target), target)
        return f"]({os.path.relpath(page, home).replace(os.sep, '/')}{link['anchor']})"

    return re.sub(r"\]\((?!https?:|#)(?P<path>[^)#\s]+)(?P<anchor>[^)\s]*)\)", moved, file.read_text(encoding="utf-8"))


def _replace(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname in PAGES:
        source[0] = with_links_from(PAGES[docname], DOCS)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _replace)
    return {"parallel_read_safe": True}
