"""The page of a study: text, tables, plots and verdicts, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adair.studies.verdict import RULE, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEANINGLESS = (
    "**Meaningless: a smoke test.** These networks have hardly been trained; the page only shows that everything runs."
)


@dataclass(frozen=True)
class Plot:
    """A plot of a page.

    Attributes:
        name: name of its file, without extension.
        caption: what it shows.
        draw: the function that draws it.
        size: width and height in inches.
    """

    name: str
    caption: str
    draw: Callable[[Figure], None]
    size: tuple[float, float] = (8.0, 4.0)


@dataclass
class Page:
    """The results of a study.

    Attributes:
        title: its heading.
        question: the question, as a paragraph.
        parts: Markdown and plots, in order.
        verdicts: the verdict on each claim.
        protocol: how it was measured, as lines.
    """

    title: str
    question: str
    parts: list[str | Plot] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    protocol: list[str] = field(default_factory=list)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table: columns of figures are right-aligned, all others left-aligned."""
    body = [[*map(cell, row)] for row in rows]
    sides = ["---:" if right else "---" for right in of_figures(columns, body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in [list(columns), sides, *body])


def of_figures(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[bool]:
    """Tell for each column whether all of its cells are empty or start with a number."""
    return [all(not row[i] or row[i].lstrip("+-")[:1].isdigit() for row in rows) for i in range(len(columns))]


def cell(value: object) -> str:
    """Return a value as text for a table: numbers with two places, None as an empty cell."""
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def as_markdown(page: Page, facts: Sequence[str], meaningless: bool, pictures: dict[str, str]) -> str:
    """Write the page.

    Args:
        page: the results.
        facts: hardware, time, seeds and the command, as lines.
        meaningless: whether it comes from a smoke test, which is stated at the top.
        pictures: paths of the plots by name; plots that were not drawn are omitted.
    """
    blocks = [f"# {page.title}\n", *([f"{MEANINGLESS}\n"] if meaningless else []), f"{page.question}\n"]
    rows = [(verdict.claim, f"**{verdict.outcome}**", verdict.why) for verdict in page.verdicts]
    blocks.append(f"## Verdicts\n\n{_plain_table(('Claim', 'Verdict', 'Because'), rows)}\n{RULE}\n")
    blocks.append("## Results\n")
    for part in page.parts:
        if isinstance(part, str):
            blocks.append(f"{part.rstrip()}\n")
        elif part.name in pictures:
            blocks.append(f"![{part.caption}]({pictures[part.name]})\n\n{part.caption}\n")
    blocks.append("## How it was measured\n\n" + "".join(f"- {line}\n" for line in [*page.protocol, *facts]))
    return "\n".join(blocks)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(columns), ["---"] * len(columns), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
