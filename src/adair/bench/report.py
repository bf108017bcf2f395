"""Rows as a Markdown page, and as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adair.bench.rows import Row
from adair.bench.suites import REMARKS, Setting

_MOST_COLUMNS = 6  # more settings become rows instead of columns

_PAGE = """# Benchmarks

Measured with `adair bench`. Rows in *italics* are copied from papers and were not measured here. The best measured
PSNR of each setting is **bold**.

- Cells show PSNR in dB and SSIM (Gaussian window 11x11, sigma 1.5, if it fits), both averaged over the images.
- s/MP: seconds per megapixel of the result, without reading, writing and scoring; processor time with one thread,
  otherwise wall-clock time.
- MB: peak memory of restoring, in addition to Python, libraries and weights that were already loaded.

To generate this page again:

```
adair bench --data DATA --json docs/benchmarks.json \\
    --markdown docs/benchmarks.md --plots docs/images/benchmarks --overwrite
```

DATA is the folder of test sets. docs/benchmarks.json stores finished rows, so that a run can be stopped and resumed.
"""


def print_rows(rows: Sequence[Row]) -> None:
    """Print every row with the number of its protocol, followed by the protocols."""
    console = Console()
    console = console if console.is_terminal else Console(width=200)  # no width limit in a file
    protocols = {text: number for number, text in enumerate(dict.fromkeys(row.protocol for row in rows), 1)}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("set", "setting", "method"):
        table.add_column(name)
    for name in ("PSNR", "SSIM", "s/MP", "MB", "images", "protocol"):
        table.add_column(name, justify="right")
    before: tuple[str, str] | None = None
    places = list(dict.fromkeys((row.suite, row.dataset, row.setting) for row in rows))
    for row in sorted(rows, key=lambda row: places.index((row.suite, row.dataset, row.setting))):
        place = (row.dataset, row.setting)
        if before and before != place:
            table.add_section()
        table.add_row(
            *(map(Text, ("", "")) if before == place else map(Text, place)),
            Text(f"{row.method}, published" if row.published else row.method),
            _number(row.psnr, 2),
            _number(row.ssim, 4),
            _number(row.seconds_per_megapixel, 2),
            _number(row.peak_mb, 0),
            "" if row.images is None else str(row.images),
            f"[{protocols[row.protocol]}]",
            style={"published": "dim italic", "ours": "bold", "input": "dim"}.get(row.kind, ""),
        )
        before = place
    console.print(table)
    for text, number in protocols.items():
        console.print(f"[{number}] {text}", markup=False, highlight=False)


def as_markdown(
    settings: Sequence[Setting], rows: Sequence[Row], missing: Mapping[str, str], pictures: Mapping[str, str]
) -> str:
    """Return the page: a section for each suite, with a table for each family of settings of a dataset.

    Args:
        settings: the settings, in the order of the page.
        rows: the rows of these settings.
        missing: names of test sets and tools that were not available, with how to get them.
        pictures: paths of plots by the title of their table.
    """
    parts = [_PAGE]
    limits = {row.limit for row in rows if not row.published} - {None}
    facts = [f"Measured on {text}" for text in dict.fromkeys(row.machine for row in rows if row.machine)]
    facts += [f"Only the first {limit} images of each set" for limit in limits]
    parts.append(
        "".join(
            f"- {fact}.\n" for fact in [*facts, *(f"Not measured: {name} ({how})" for name, how in missing.items())]
        )
    )
    for suite in dict.fromkeys(row.suite for row in rows):
        chosen = [row for row in rows if row.suite == suite]
        parts.append(f"## {suite}\n\n{REMARKS[suite]}\n")
        for title, part in tables(settings, chosen).items():
            parts.append(f"### {title.removeprefix(f'{suite}, ')}\n\n{_table(part)}\n{_protocols(part)}")
            if title in pictures:
                parts.append(f"![PSNR against seconds per megapixel: {title}]({pictures[title]})\n")
        if notes := dict.fromkeys(f"- {row.method}: {row.note}.\n" for row in chosen if row.note):
            parts.append(f"Other tools:\n\n{''.join(notes)}")
    if sources := dict.fromkeys(f"- {row.method}: {row.protocol}.\n" for row in rows if row.published):
        parts.append(f"## Published figures\n\n{''.join(sources)}")
    return "\n".join(parts)


def tables(settings: Iterable[Setting], rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group rows by table title: suite, dataset, family, and the colour space if there are several."""
    titles: dict[tuple[str, str, str], str] = {}
    for setting in settings:
        for score in setting.scores:
            colour = score.colour if len(setting.scores) > 1 else ""
            title = ", ".join(filter(None, (setting.suite, setting.dataset, setting.family, colour)))
            titles[setting.suite, setting.dataset, setting.label(score)] = title
    found: dict[str, list[Row]] = {title: [] for title in titles.values()}
    for row in rows:
        found[titles[row.suite, row.dataset, row.setting]].append(row)
    return {title: part for title, part in found.items() if part}


def _table(rows: Sequence[Row]) -> str:
    labels, methods = (
        list(dict.fromkeys(names)) for names in zip(*((row.setting, _name(row)) for row in rows), strict=True)
    )
    cells = {(_name(row), row.setting): _cell(row, rows) for row in rows}
    if len(labels) > _MOST_COLUMNS:
        lines = [["setting", *methods], *([label, *(cells.get((m, label), "") for m in methods)] for label in labels)]
    else:
        lines = [["method", *labels, "s/MP", "MB", "images"]]
        for method in methods:
            own = [row for row in rows if _name(row) == method]
            lines.append([method, *(cells.get((method, label), "") for label in labels), *_costs(own)])
    rule = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rule, *lines[1:]))


def _protocols(rows: Sequence[Row]) -> str:
    """Return how a table was measured: what all settings share, then what differs."""
    protocols = {row.setting: row.protocol.split("; ") for row in rows if not row.published}
    shared = [part for part in next(iter(protocols.values()), []) if all(part in parts for parts in protocols.values())]
    text = f"Protocol: {'; '.join(shared)}.\n"
    own = {setting: "; ".join(part for part in parts if part not in shared) for setting, parts in protocols.items()}
    return text + "".join(
        ["\n", *(f"- {setting}: {rest}.\n" for setting, rest in own.items())] if any(own.values()) else ""
    )


def _name(row: Row) -> str:
    return f"*{row.method}*" if row.published else row.method


def _cell(row: Row, rows: Iterable[Row]) -> str:
    """Return PSNR, bold if it is the best of several measured ones, and SSIM."""
    rivals = [other.psnr for other in rows if other.setting == row.setting and not other.published]
    measured = [value for value in rivals if value is not None]
    text = _number(row.psnr, 2)
    if len(measured) > 1 and row.psnr == max(measured) and not row.published:
        text = f"**{text}**"
    text += f" / {row.ssim:.4f}" if row.ssim is not None else ""
    return f"*{text}*" if row.published else text


def _costs(rows: Sequence[Row]) -> tuple[str, str, str]:
    """Return mean time, peak memory, and number of images of a method's rows."""
    times = [row.seconds_per_megapixel for row in rows if row.seconds_per_megapixel is not None]
    memory = [row.peak_mb for row in rows if row.peak_mb is not None]
    images = sorted({row.images for row in rows if row.images is not None})
    return (
        _number(sum(times) / len(times), 2) if times else "",
        _number(max(memory), 0) if memory else "",
        ", ".join(map(str, images)),
    )


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"
