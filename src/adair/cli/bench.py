"""``adair bench``: comparable figures, with their protocols."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adair.cli.machine import Device, PrecisionName
from adair.cli.names import Adapters, FoundationFile
from adair.errors import AdairError

if TYPE_CHECKING:
    from adair.bench.plan import BenchConfig
    from adair.bench.rows import Row
    from adair.bench.suites import Setting


def bench(
    suites: Annotated[
        list[str] | None,
        typer.Argument(help="Suites such as denoise; see --list. Default: all.", metavar="[SUITE]..."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of test sets, one subfolder each.")] = Path("data"),
    listed: Annotated[bool, typer.Option("--list", help="Show suites, test sets and available tools.")] = False,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this test set; repeat for more.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help='Only this setting, such as "sigma 25" or x2; repeat for more.')
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Only this method, or input, ours, baselines, published; repeat for more.")
    ] = None,
    baseline: Annotated[list[Path] | None, typer.Option(help="Checkpoint of another network; repeat for more.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N images of each test set.", min=1)] = None,
    json: Annotated[
        Path | None, typer.Option(help="File for the rows; rows that it contains are not measured again.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore the rows in the file.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Measure nothing; show the rows in the file.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write a Markdown page.")] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for plots of PSNR against time (needs matplotlib).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page and plots.")] = False,
    device: Device = None,
    precision: PrecisionName = None,
    foundation: FoundationFile = None,
    adapter: Adapters = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Also average the adapters over all flips and rotations: 8 times slower.")
    ] = False,
) -> None:
    """Measure the foundation, its adapters and other tools on public test sets.

    Every row states its protocol. With --json, an interrupted run resumes. Exit code 1: some images or methods had to
    be left out; each is named.
    """
    from adair.bench.baselines import unavailable
    from adair.bench.methods import load_ours
    from adair.bench.plan import PUBLISHED, advice, choose_methods, choose_settings, find_settings
    from adair.bench.published import published
    from adair.bench.report import print_rows
    from adair.bench.rows import Journal
    from adair.bench.runner import Bench

    chosen = (suites or [], dataset or [], setting or [])
    if listed:
        _list(data, find_settings(*chosen))
        return
    if report and (json is None or not json.exists()):
        raise AdairError("--report shows the rows of a file; give an existing one with --json")
    for path in (markdown, plots):
        if path is not None and path.exists() and not overwrite:
            raise AdairError(f"{path}: exists; choose another name, or replace it with --overwrite")
    try:
        settings, missing = choose_settings(data, *chosen)
    except AdairError:
        rows = _stored(json, find_settings(*chosen), method or [], limit) if report and json else []
        if not rows:
            raise
        print_rows(rows)
        _say("as the file has them; the test sets are not here to check them against")
        _write(find_settings(*chosen), rows, unavailable(), markdown, plots)
        return
    journal = Journal(json, fresh)
    restorer, adapters = load_ours(foundation, adapter or [], device, precision)
    plan = choose_methods(settings, restorer, adapters, baseline or [], method or [], ensemble)
    rows = []
    with _progress(plan) as progress:
        run = Bench(data, journal, restorer, _say, progress, limit, not report)
        for one, methods in plan:
            rows += run.run(one, methods)
            rows += published(one) if not method or PUBLISHED in method else []
    rows += [] if method else journal.elsewhere(rows)
    journal.add(rows)
    print_rows(rows)
    for name in missing:
        _say(f"not measured: {name}: {advice(name, data)}")
    absent = {name: advice(name, "DATA") for name in missing} | unavailable()
    _write(settings, rows, absent, markdown, plots)
    if run.problems:
        raise typer.Exit(1)


def _stored(json: Path, settings: Sequence[Setting], methods: Sequence[str], limit: int | None) -> list[Row]:
    """Return the rows of a file that belong to the settings and methods (all by default)."""
    from adair.bench.plan import KINDS
    from adair.bench.rows import read_rows

    kinds = {KINDS.get(word, word) for word in methods}
    places = {(one.suite, one.dataset, one.label(score)) for one in settings for score in one.scores}
    return [
        row
        for row in read_rows(json)
        if (row.suite, row.dataset, row.setting) in places
        and (not methods or row.method in methods or row.kind in kinds)
        and (row.published or row.limit == limit)
    ]


def _write(
    settings: Sequence[Setting],
    rows: Sequence[Row],
    missing: Mapping[str, str],
    markdown: Path | None,
    plots: Path | None,
) -> None:
    """Write the page and the plots."""
    from adair.bench.plots import plot
    from adair.bench.report import as_markdown, tables
    from adair.images.files import write_whole

    pictures = {}
    if plots is not None:
        for title, part in tables(settings, rows).items():
            picture = plot(title, part)
            if picture is not None:
                path = plots / f"{'-'.join(title.replace(',', '').split())}.png"
                write_whole(path, picture)
                pictures[title] = Path(os.path.relpath(path, markdown.parent if markdown else plots)).as_posix()
    if markdown is not None:
        write_whole(markdown, as_markdown(settings, rows, missing, pictures).encode())


def _list(data: Path, settings: Sequence[Setting]) -> None:
    """Show which test sets and other tools are available for the settings."""
    from adair.bench.baselines import find_baselines, unavailable
    from adair.bench.plan import advice
    from adair.cli.show import print_table
    from adair.data import dataset

    sets: dict[str, dict[str, None]] = {}
    tools: dict[str, dict[str, None]] = {}
    notes: dict[str, str] = {}
    for setting in settings:
        sets.setdefault(setting.dataset, {})[setting.suite] = None
        for method in find_baselines(setting.suite, setting.source.scale):
            tools.setdefault(method.name, {})[setting.suite] = None
            notes[method.name] = method.note
    rows = []
    for name, suites in sets.items():
        known = dataset(name)
        count = known.count(data)
        state = advice(name, data) if count is None else f"{count} of {known.images} images"
        rows.append((name, ", ".join(suites), state))
    print_table(("test set", "suites", f"in {data}"), rows)
    print()
    here = [(name, ", ".join(suites), notes[name]) for name, suites in tools.items()]
    absent = [(name, "not installed", how) for name, how in unavailable().items()]
    print_table(("other tool", "suites", "remark"), [*here, *absent])


def _say(text: str) -> None:
    print(f"adair: {text}", file=sys.stderr, flush=True)


@contextmanager
def _progress(plan: BenchConfig) -> Iterator[Callable[[str, float], None]]:
    """Show progress: a bar in a terminal, otherwise a line for each row."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    total = sum(len(methods) for _, methods in plan)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)

        def report(text: str, done: float) -> None:
            bar.update(task, completed=done, description=text)
            if not console.is_terminal and done == int(done):
                print(f"{int(done) + 1}/{total} {text}", file=sys.stderr, flush=True)

        yield report
