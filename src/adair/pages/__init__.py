"""Pages that adair writes: each one HTML file that loads nothing; here is what their templates share."""

from __future__ import annotations

import html
import importlib.resources
import string

from adair import __version__


def fill_page(package: str, **values: object) -> str:
    """Fill in ``page.html`` of a package.

    Args:
        package: such as "adair.compare".
        values: what ``$name`` stands for in the template, escaped where it is text. ``$version`` is known, and
            ``$base``: colours for light and dark, type, and the cards of a list.

    Raises:
        KeyError: the template asks for a name that has no value.
    """
    base = importlib.resources.files("adair.pages").joinpath("base.css").read_text(encoding="utf-8")
    template = importlib.resources.files(package).joinpath("page.html").read_text(encoding="utf-8")
    return string.Template(template).substitute(values, base=base.rstrip(), version=html.escape(__version__))
