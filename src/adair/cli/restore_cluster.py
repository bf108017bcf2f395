"""``adair restore SOURCE -o TARGET --cluster ray``: restore a folder on many machines."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from adair.errors import InputError, one_line

if TYPE_CHECKING:
    from adair.cluster.run import ClusterOutcome
    from adair.cluster.worker import WorkerSpec
    from adair.restore.batch import Naming
    from adair.restore.options import RestoreOptions
    from adair.restore.restorer import Restorer
    from adair.restore.runner import Existing
    from adair.restore.single import FileOptions


def worker_spec(
    cluster: str,
    images: Sequence[str],
    output: str | None,
    options: RestoreOptions,
    files: FileOptions,
    model: tuple[Path | None, Sequence[Path]],
    restorer: Restorer,
    cpus: int,
) -> WorkerSpec:
    """Return what workers need to know, from the options of the command line.

    Args:
        cluster, images, output, options, files, cpus: as given.
        model: the files of the foundation (None: the bundled one) and of adapters.
        restorer: loaded from them; its runtime, device and precision are those of the workers.

    Raises:
        InputError: anything but one source folder and one target, an engine other than Ray, fewer CPUs than 1.
    """
    from adair.cluster.worker import WorkerSpec

    if cluster != "ray":
        raise InputError(f"--cluster {cluster}: the only engine is ray; RAY_ADDRESS selects the cluster")
    if len(images) != 1 or output is None:
        raise InputError(
            "--cluster needs one source folder or URL and one target: adair restore SOURCE -o TARGET --cluster ray"
        )
    if cpus < 1:
        raise InputError(f"--worker-cpus {cpus}: give 1 or more")
    foundation, adapters = model
    return WorkerSpec(
        _absolute(images[0]),
        _absolute(output),
        options,
        files,
        None if foundation is None else foundation.read_bytes(),
        tuple(path.read_bytes() for path in adapters),
        restorer.runtime.name,
        restorer.device.type,
        restorer.precision.name,
        cpus,
    )


def run_on_cluster(
    spec: WorkerSpec,
    naming: Naming,
    mark: str,
    existing: Existing,
    recursive: bool,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Restore a folder and report the outcome of each file; exit codes as for one machine."""
    from adair.cluster.plan import make_plan
    from adair.cluster.run import SUMMARY, run_plan
    from adair.cluster.storage import Storage

    if workers is not None and workers < 1:
        raise InputError(f"--workers {workers}: give 1 or more")
    source, target = Storage(spec.source), Storage(spec.target)
    plan = make_plan(source, target, naming, mark, existing, recursive, keep_state=not dry_run)
    for note in plan.notes:
        _say(note)
    if dry_run:
        for item in plan.todo:
            print(one_line(f"{source.url_of(item.source)} -> {target.url_of(item.target)}"))
        return
    outcomes = run_plan(plan, spec, workers, _print_json if as_json else _print)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    if plan.done:
        _say(f"{len(plan.done)} of {len(outcomes)} files were already done")
    if failed:
        _say(f"{failed} of {len(outcomes)} files failed; {target.url_of(SUMMARY)} lists all")
        raise typer.Exit(1 if failed < len(outcomes) else 2)


def _print_json(outcome: ClusterOutcome) -> None:
    print(json.dumps(dataclasses.asdict(outcome)), flush=True)


def _print(outcome: ClusterOutcome) -> None:
    for note in outcome.notes:
        _say(f"{outcome.source}: {note}")
    if outcome.status == "failed":
        _say(outcome.error)
    else:
        print(one_line(f"{outcome.source} -> {outcome.target} ({outcome.host})"), flush=True)


def _absolute(url: str) -> str:
    """Return an absolute path, because workers run in other folders than this process."""
    return url if "://" in url else str(Path(url).absolute())


def _say(text: str) -> None:
    print(f"adair: {one_line(text)}", file=sys.stderr, flush=True)
