"""``adair restore``: restore image files, folders and videos."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adair.cli.machine import Device, PrecisionName, RuntimeName
from adair.cli.names import Adapters, FoundationFile
from adair.errors import LONGEST_LINE, AdairError, InputError, one_line

if TYPE_CHECKING:
    from adair.restore.batch import Job
    from adair.restore.options import RestoreOptions
    from adair.restore.restoration import FileRestorer
    from adair.restore.runner import Existing, FilesProgress, Outcome
    from adair.restore.single import FileResult
    from adair.runtimes import Runtime

REPORTED = {"done": "restored", "planned": "to do", "skipped": "already done", "failed": "failed"}
MANY = 20  # files after which failures are named again at the end
SMALL_WORKERS = 16  # small files at a time
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")  # two letters or more: C:// is a drive of Windows
SMALL = 256 * 256  # pixels of an image or tile up to which several go through the network together


def restore(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image or video files, folders of images, '*.jpg', or - for standard input.", metavar="IMAGE..."
        ),
    ],
    task: Annotated[
        list[str],
        typer.Option(
            "--task",
            "-t",
            help="What to undo (see 'adair tasks'), or auto to find out. A sequence: 'dejpeg > denoise', or -t "
            "dejpeg -t denoise. A blend in one network: denoise=0.7,dejpeg=0.3.",
        ),
    ],
    scale: Annotated[
        int | None, typer.Option(help="2, 3 or 4; only for task sr (default 2; 1 keeps the size).")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="How much of the correction to apply, from 0 (none) to 1 (all).")
    ] = 1.0,
    luma: Annotated[float, typer.Option(help="How much of the brightness correction to apply: 0 to 1.")] = 1.0,
    colour: Annotated[float, typer.Option(help="How much of the colour correction to apply: 0 to 1.")] = 1.0,
    mask: Annotated[
        Path | None, typer.Option(help="Image of the same size: white is restored, black stays unchanged, bit for bit.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Average over all flips and rotations: slightly better, 8 times slower.")
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file for one image, otherwise a folder; - for standard output. Default: the folder of the image.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of results. Default: '{stem}.{task}{ext}', or '{stem}{ext}' with -o.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="Format of results: png, jpg, webp, tif, avif, bmp.")] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Search subfolders too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Skip images that have a result.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Files to restore at a time. Default: 1, 16 if they are small, or the whole cluster."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="'ray': from one folder or URL (s3://...) to another, on the cluster at RAY_ADDRESS or a local one."
        ),
    ] = None,
    worker_cpus: Annotated[int, typer.Option(help="CPUs per cluster worker.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON per file.")] = False,
    codec: Annotated[
        str | None,
        typer.Option(help="Compression of videos: h264, hevc, av1, vp9, prores, ffv1. Default: as the source."),
    ] = None,
    quality: Annotated[int, typer.Option(help="1 to 100 for JPEG, WebP, AVIF; 100: lossless WebP, AVIF.")] = 95,
    bigtiff: Annotated[bool, typer.Option("--bigtiff", help="Write TIFFs as BigTIFF; above 4 GB in any case.")] = False,
    pyramid: Annotated[
        bool, typer.Option("--pyramid", help="Write TIFFs in tiles, with smaller copies, for viewers of large images.")
    ] = False,
    tile: Annotated[
        int | None,
        typer.Option(help="Side of tiles in pixels, 128 or a larger multiple of 32; 0 for none. Default: by memory."),
    ] = None,
    device: Device = None,
    precision: PrecisionName = None,
    runtime: RuntimeName = "torch",
    foundation: FoundationFile = None,
    adapter: Adapters = None,
    max_megapixels: Annotated[
        float, typer.Option(help="Refuse larger images, which may be decompression bombs.")
    ] = 500.0,
) -> None:
    """Restore photos and videos: noise, blur, rain, JPEG, small size.

    Colour profile, EXIF, transparency and bit depth are kept, and so are sound, subtitles and timing of videos; the
    format follows the result's name. Run again on a folder or a list of files, it skips what is done and redoes results
    whose source or settings have changed; run again on a video, it goes on where it stopped. Any other file in the
    place of a result is an error, unless --overwrite or --skip-existing is given. Exit code 1: some files failed; 2:
    all failed.
    """
    from adair.images.image_file import CLASSIC, TiffOptions
    from adair.restore.batch import Naming, expand_patterns, plan_batch
    from adair.restore.mask import Mask
    from adair.restore.options import RestoreOptions
    from adair.restore.record import Record
    from adair.restore.runner import Runner
    from adair.restore.single import FileOptions

    if overwrite and skip_existing:
        raise InputError("--overwrite and --skip-existing are mutually exclusive; give one of them")
    if not 0 < max_megapixels <= 1e6:
        raise InputError(f"--max-megapixels {max_megapixels:g}: give a number of megapixels, such as 500")
    if cluster is None:
        _refuse_addresses(images, output)
    where = None if mask is None else Mask.of(mask)
    chosen = task[0] if len(task) == 1 else tuple(task)
    options = RestoreOptions(chosen, scale, strength, tile, ensemble, luma, colour, where)
    tiff = TiffOptions(bigtiff, pyramid)
    files = FileOptions(quality, max_pixels=int(max_megapixels * 1e6), codec=codec, tiff=tiff)
    paths = [] if cluster else expand_patterns(images)
    one_file = len(paths) == 1 and not paths[0].is_dir()
    small = SMALL_WORKERS if workers is None else workers
    shared = 1 if cluster or one_file else small  # the workers of a cluster have their own restorers
    restorer = _restorer(options, foundation, adapter or [], (runtime, device, precision), shared, cluster is None)
    extension = f".{format.removeprefix('.')}" if format else None
    naming = Naming(restorer.check(options), name, extension, restorer.tasks)
    if one_file and extension and output not in (None, "-"):
        _check_format(extension, Path(str(output)))
    mark = f"{restorer.mark(options)} {quality}" + (f" {codec}" if codec else "")
    mark += "" if tiff == CLASSIC else f" {tiff}"
    existing: Existing = "overwrite" if overwrite else "skip" if skip_existing else "resume"
    if cluster is not None:
        from adair.cli.restore_cluster import run_on_cluster, worker_spec
        from adair.restore.restorer import Restorer

        assert isinstance(restorer, Restorer)

        model = foundation, adapter or []
        spec = worker_spec(cluster, images, output, options, files, model, restorer, worker_cpus)
        run_on_cluster(spec, naming, mark, existing, recursive, workers, dry_run, as_json)
        return
    if "-" in (*images, output):
        from adair.cli.restore_stream import restore_stream

        if as_json or dry_run or skip_existing or name is not None:
            raise InputError(
                "- restores one image to one result; it excludes --json, --dry-run, --skip-existing and --name"
            )
        _check_codec(codec, [])
        restore_stream(images, output, extension, overwrite, restorer, options, files)
        return
    batch = plan_batch(paths, None if output is None else Path(output), naming, recursive)
    _check_codec(codec, [job.source for job in batch.jobs])
    record = None if one_file else Record(mark)
    at_once = 1 if workers is None else workers
    runner = Runner(restorer, options, files, existing, record, at_once, small, dry_run, _restore_one)

    for note in batch.notes:
        _say(note)
    tally = dict.fromkeys(REPORTED, 0)
    failures = []
    with _bar(batch.jobs) as progress:
        for outcome in runner.run(batch.jobs, progress):
            tally[outcome.status] += 1
            _print(outcome, as_json)
            failures += [outcome.error] if outcome.error is not None else []
    if len(batch.jobs) > 1 or tally["skipped"]:
        _report(tally, failures)
    if tally["failed"]:
        raise typer.Exit(1 if tally["failed"] < len(batch.jobs) else 2)


def _refuse_addresses(images: list[str], output: str | None) -> None:
    """Raise `InputError` for an address: s3://bucket/a.png would be taken for a file in a folder called "s3:"."""
    for word in (*images, *([] if output is None else [output])):
        scheme = ADDRESS.match(word)
        if scheme is None:
            continue
        if scheme[1].lower() == "file":
            raise InputError(f"{word}: is an address; give the path alone, without file://")
        if scheme[1].lower() not in ("http", "https"):
            raise InputError(
                f"{word}: is an address; --cluster ray restores from one folder of an object store to another"
            )
        if word in images:
            raise InputError(
                f"{word}: is an address; download the image first, or: curl -L ADDRESS | adair restore - ..."
            )
        raise InputError(f"{word}: is an address, where nothing can be written; give a file or a folder with -o")


def _check_format(extension: str, output: Path) -> None:
    """Raise `InputError` if --format and the extension of the result's name differ."""
    from adair.images.image_file import FORMATS

    named = output.suffix.lower()
    same = FORMATS.get(extension.lower(), extension.lower()) == FORMATS.get(named, named)
    if named and not same and not output.is_dir():
        raise InputError(f"{output}: --format {extension[1:]} is another format than its name says; omit one of them")


def _check_codec(codec: str | None, sources: list[Path]) -> None:
    """Raise `InputError` if --codec is given, but no video."""
    from adair.restore.clips import is_video

    if codec is not None and not any(map(is_video, sources)):
        raise InputError(f"--codec {codec}: is for videos, and there are none; omit it")


def _restorer(
    options: RestoreOptions,
    foundation: Path | None,
    adapters: list[Path],
    runtime: tuple[str, str | None, str | None],
    workers: int,
    may_be_prepared: bool,
) -> FileRestorer:
    """Return a graph that an earlier run has prepared, which needs no PyTorch, or else a full restorer."""
    name, device, precision = runtime
    usual = device in (None, "auto", "cpu") and precision in (None, "auto", "fp32")
    place = None
    if may_be_prepared and name == "onnxruntime" and usual and foundation is None and not adapters:
        from adair.restore import prepared

        place = prepared.place(options)
        found = place.load() if place else None
        if found:
            return found
    from adair.restore.restorer import Restorer

    restorer = Restorer.load(foundation, runtime=_runtime(name, device, precision, workers))
    for path in adapters:
        restorer.add_adapter(path, replace=True)  # requested by name
    if place:
        from adair.export import ExportOptions, export

        with suppress(OSError, AdairError):  # only a cache: without it the next run starts more slowly
            place.graph.parent.mkdir(parents=True, exist_ok=True)
            export(restorer, ExportOptions(options.task, options.scale), "onnx", place.graph, overwrite=True)
            place.vouch(restorer.check(options), restorer.mark(options), restorer.tasks)
    return restorer


def _runtime(name: str, device: str | None, precision: str | None, workers: int) -> Runtime:
    """Return the runtime: for several files at a time, one that they share."""
    from adair.runtimes import BatchingRuntime, create_runtime

    inner = create_runtime(name, device, precision)
    if workers == 1:
        return inner
    # Half of the files are read or written while the others go through the network: of batches of all of them, every
    # second one would be of the one file that is ready first. In float32 a batch rounds in another way than a single
    # tile, which changes one value in 100,000 by one level, as tiles do.
    return BatchingRuntime(inner, max(workers // 2, 1), SMALL)


def _restore_one(source: Path, target: Path, **settings: Any) -> FileResult:
    """Restore an image or, with what only videos need, a video."""
    from adair.restore.clips import is_video

    if is_video(source):
        from adair.video import restore_video

        return restore_video(source, target, **settings)
    from adair.restore.single import restore_file

    return restore_file(source, target, **settings)


def _print(outcome: Outcome, as_json: bool) -> None:
    """Report the outcome of a file; files that were done before are only counted."""
    job, result = outcome.job, outcome.result
    advice = () if result is None or result.advice is None else (str(result.advice),)
    notes = advice + (() if result is None else result.notes)
    if as_json:
        import json

        facts: dict[str, Any] = {"source": str(job.source), "target": str(job.output), "status": outcome.status}
        if result is not None:
            facts |= {"megapixels": round(result.megapixels, 4), "seconds": round(result.seconds, 3), "notes": notes}
        if outcome.error is not None:
            facts["error"] = outcome.error
        print(json.dumps(facts), flush=True)
        return
    for note in notes:
        _say(f"{job.source}: {note}")
    if outcome.error is not None:
        _say(outcome.error)
    elif outcome.status != "skipped":
        print(one_line(f"{job.source} -> {job.output}", 2 * LONGEST_LINE), flush=True)


def _report(tally: dict[str, int], failures: list[str]) -> None:
    """Say what all files came to; after many lines the failed ones are named again."""
    total = sum(tally.values())
    if total > MANY:
        for failure in failures:
            _say(failure)
    parts = ", ".join(f"{number} {REPORTED[status]}" for status, number in tally.items() if number)
    _say(f"{total} file{'s' if total > 1 else ''}: {parts}")


def _say(text: str) -> None:
    print(f"adair: {one_line(text)}", file=sys.stderr, flush=True)


class _FilesBar:
    """Combines the progress of files, several of which may run at the same time, into one bar."""

    def __init__(self, bar: Any, jobs: tuple[Job, ...]) -> None:
        self._bar, self._jobs = bar, jobs
        self._task = bar.add_task("", total=len(jobs))
        self._parts = dict.fromkeys(range(len(jobs)), 0.0)

    def __call__(self, number: int, part: float) -> None:
        self._parts[number] = part
        finished = sum(value == 1 for value in self._parts.values())
        shown = f"{min(finished + 1, len(self._jobs))}/{len(self._jobs)} {self._jobs[number].source.name}"
        self._bar.update(self._task, completed=sum(self._parts.values()), description=shown)


@contextmanager
def _bar(jobs: tuple[Job, ...]) -> Iterator[FilesProgress | None]:
    """A progress bar over all files with the remaining time, only in a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    # Lines printed meanwhile appear above the bar; in a pipe they are not changed.
    # A picture of a video may take a minute, so time left is judged by the last ten.
    pipe = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=pipe, speed_estimate_period=600) as bar:
        yield _FilesBar(bar, jobs)
