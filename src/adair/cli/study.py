"""``adair study``: run and report the paper's experiments."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from adair.cli.machine import Device, PrecisionName
from adair.cli.names import FoundationFile
from adair.cli.options import MaxMinutes
from adair.errors import AdairError


def study(
    name: Annotated[
        str, typer.Argument(help="strategies, baselines, unseen, curves, schemes, adapters, backbones, or all.")
    ],
    photos: Annotated[Path, typer.Option(help="Folder of clean photos, searched recursively.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of results and checkpoints; studies can share it.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of test sets. Default: held-out photos are the test images.")
    ] = None,
    budget: Annotated[
        str, typer.Option(help="tiny (a smoke test), cpu, gpu, or bundled: on the bundled foundation.")
    ] = "cpu",
    foundation: FoundationFile = None,
    seed: Annotated[int, typer.Option(help="Seed of all randomness.")] = 0,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps for each task; all other lengths change in proportion. Default: the budget's.", min=1),
    ] = None,
    images: Annotated[int | None, typer.Option(help="Images of each test. Default: the budget's.", min=1)] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Number of seeds to train; fewer than 3 decide nothing. Default: 3.", min=1)
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Jobs at a time, with a thread each. Default: one per core; one on a GPU.", min=1)
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be done, and how long it would take.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write every job and verdict to this file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the page; for all studies, a folder of pages.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Folder for the plots, PNG and SVG (needs matplotlib).")] = None,
    latex: Annotated[Path | None, typer.Option(help="Folder for every table as LaTeX.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Folder for every table as CSV.")] = None,
    max_minutes: MaxMinutes = None,
    device: Device = None,
    precision: PrecisionName = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: inside --output.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
) -> None:
    """Rerun an experiment of the paper and judge its claims.

    The result of every job (a training or a test) is stored in --output: a study that was stopped resumes, and jobs
    that are done are not run again, not even by another study. With --max-minutes, every call does a part of the work,
    the jobs of the first seed first, and of all studies in turn; pages are written when their studies are done.
    """
    begun = time.monotonic()
    from adair.hardware import usable_cores
    from adair.studies import find_studies
    from adair.studies.budget import find_budget, sized
    from adair.studies.plots import require_matplotlib
    from adair.studies.report import write_json, write_page
    from adair.studies.runner import in_order, outlook, say, work_in_turns
    from adair.studies.study import Results
    from adair.studies.tables import write_tables
    from adair.studies.workspace import Place, Workspace

    level = find_budget(budget, foundation)
    chosen = find_studies(name, bool(level.foundation))
    level = sized(level, steps, images, seeds)
    if max_minutes is not None and not max_minutes > 0:
        raise AdairError(f"--max-minutes {max_minutes}: must be positive")
    for path in (json, markdown, plots, latex, csv):
        if path is not None and path.exists() and not overwrite:
            raise AdairError(f"{path}: exists; choose another name, or replace it with --overwrite")
    if plots is not None:
        require_matplotlib()
    place = Place(output, photos, level.held_out, data, device, precision, cache, foundation, level.validation)
    workspace = Workspace(place, say)
    for reason in workspace.skipped:
        say(f"skipped {reason}")
    for one in chosen:
        level = one.settle(level, workspace)
    parts = {one.name: in_order(one.in_turn(level, seed), workspace) for one in chosen}
    work = in_order([job for part in parts.values() for job in part], workspace)
    ahead = outlook(work, workspace)
    count = min(jobs or (usable_cores() if workspace.device.type == "cpu" else 1), max(1, ahead.left))
    say(
        f"{name}, budget {budget}: {len(work)} jobs, {ahead.done} done, {ahead.left} to do: "
        f"about {ahead.minutes(count):.1f} minutes if nothing else runs, {count} at a time; {workspace.machine}"
    )
    if level.meaningless:
        say("this is a smoke test: its figures are meaningless")
    if plan:
        return
    if max_minutes is None:
        work_in_turns([work], workspace, count)
    else:
        work_in_turns(list(parts.values()), workspace, count, begun + 60 * max_minutes - time.monotonic())
    done = {key: sum(map(workspace.done, part)) for key, part in parts.items()}
    say(f"{sum(map(workspace.done, work)) - ahead.done} jobs took {(time.monotonic() - begun) / 60:.1f} minutes")
    for key, part in parts.items():
        if done[key] < len(part):
            say(f"{key}: {done[key]} of {len(part)} jobs are done; the same command goes on")
    finished = [one for one in chosen if done[one.name] == len(parts[one.name])]
    if not finished:
        return
    results = Results(workspace, level)
    pages = [(one, one.report(results, seed)) for one in finished]
    for one, page in pages:
        print(page.title + (" (meaningless: a smoke test)" if level.meaningless else ""))
        for verdict in page.verdicts:
            print(f"  {verdict.outcome}: {verdict.claim} ({verdict.why})")
        target = markdown / f"{one.name}.md" if markdown is not None and name == "all" else markdown
        write_page(one, page, results, seed, target, plots)
        write_tables(one.name, page, latex, csv)
    if json is not None:
        write_json(json, pages, results, seed)
