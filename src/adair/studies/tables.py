"""The tables of a study's page as LaTeX and CSV, with the figures as printed on the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from adair.images.files import write_whole
from adair.studies.page import Page, of_figures

Table = list[list[str]]  # rows of text, the headings first

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def tables_of(page: Page) -> list[Table]:
    """Return all tables of a page in order, and that of its verdicts, as plain text."""
    found: list[Table] = []
    for part in page.parts:
        line_of_table = 0
        for line in part.splitlines() if isinstance(part, str) else []:
            line_of_table = line_of_table + 1 if line.startswith("| ") else 0
            row = [_plain(text) for text in line.strip().strip("|").split(" | ")]
            if line_of_table == 1:
                found.append([row])
            elif line_of_table > 2:  # the second line only aligns the columns
                found[-1].append(row)
    verdicts = [[verdict.claim, verdict.outcome, verdict.why] for verdict in page.verdicts]
    return [*found, [["Claim", "Verdict", "Because"], *verdicts]]


def as_csv(table: Sequence[Sequence[str]]) -> str:
    """Return a table as CSV (RFC 4180, with line feeds)."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


def as_latex(table: Sequence[Sequence[str]]) -> str:
    """Return a table as a LaTeX ``tabular`` without packages: columns of figures right-aligned, the others left."""
    head, *rows = ["  " + " & ".join(map(_escaped, row)) + r" \\" for row in table]
    columns = "".join("r" if right else "l" for right in of_figures(table[0], table[1:]))
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"  \hline", head, r"  \hline", *rows, r"  \hline", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def write_tables(name: str, page: Page, latex: Path | None, csv: Path | None) -> None:
    """Write every table of a page into the given folders: ``NAME-1.tex``, ``NAME-1.csv`` and so on.

    The verdicts are in ``NAME-verdicts``.

    Raises:
        AdairError: a file that cannot be written.
    """
    found = tables_of(page)
    names = [f"{name}-{number}" for number in range(1, len(found))] + [f"{name}-verdicts"]
    for stem, table in zip(names, found, strict=True):
        if latex is not None:
            write_whole(latex / f"{stem}.tex", as_latex(table).encode())
        if csv is not None:
            write_whole(csv / f"{stem}.csv", as_csv(table).encode())


def _plain(text: str) -> str:
    """Remove Markdown's marks of bold, italic and code."""
    return re.sub(r"\*\*|`", "", text.strip())


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)
