"""``adair restore``: photos in, better photos out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adair.errors import AdairError

if TYPE_CHECKING:
    from adair.restore.batch import Batch, Job

Report = Callable[[str, int, float], None]
TileProgress = Callable[[int, int], None]


def restore(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", metavar="IMAGE...")],
    task: Annotated[
        list[str],
        typer.Option(
            "--task",
            "-t",
            help="What to undo (see 'adair tasks'), or auto: find out. One after the other: 'dejpeg > denoise', or -t "
            "dejpeg -t denoise. A blend in one network: denoise=0.7,dejpeg=0.3.",
        ),
    ],
    scale: Annotated[
        int | None, typer.Option(help="2, 3 or 4; only for task sr (2 unless given; 1: keep size).")
    ] = None,
    strength: Annotated[
        float, typer.Option(help="How much of the whole correction to apply: 0 nothing, 1 all of it.")
    ] = 1.0,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Mean over all flips and quarter turns: a little better, 8 x the time.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file for one image, else a folder. Default: beside, as NAME.TASK.EXT."),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into folders of folders too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    quality: Annotated[int, typer.Option(help="1 to 100 for JPEG, WebP, AVIF; 100: lossless WebP, AVIF.")] = 95,
    tile: Annotated[int | None, typer.Option(help="Side of tiles in pixels, 0 for none. Default: by memory.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. Default: the best there is.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16 or fp16. Default: the fastest that is safe.")
    ] = None,
    foundation: Annotated[Path | None, typer.Option(help="Foundation file. Default: the bundled one.")] = None,
    adapter: Annotated[list[Path] | None, typer.Option(help="Adapter file of your own; repeat for more.")] = None,
    max_megapixels: Annotated[float, typer.Option(help="Refuse larger images, which may be bombs.")] = 500.0,
) -> None:
    """Restore photos: noise, blur, rain, JPEG, small size.

    Colour profile, EXIF, transparency and bit depth are kept; the format follows the result's name. A result that
    exists is an error for that file unless --overwrite is given. Exit code 1: some files failed; 2: all did.
    """
    from adair.restore.batch import plan_batch
    from adair.restore.image_file import check_quality
    from adair.restore.images import read_image, write_image
    from adair.restore.options import RestoreOptions
    from adair.restore.restorer import Restorer

    check_quality(quality)
    restorer = Restorer.load(foundation, device, precision)
    for path in adapter or []:
        restorer.add_adapter(path)
    options = RestoreOptions(task[0] if len(task) == 1 else tuple(task), scale, strength, tile, ensemble)
    label = restorer.check(options)
    batch = plan_batch(images, output, label, recursive)

    def run(job: Job, progress: TileProgress) -> None:
        if not overwrite and job.output.exists():
            raise AdairError(f"{job.output}: exists; choose another name with -o, or replace it with --overwrite")
        image = read_image(job.source, int(max_megapixels * 1e6))
        restored = restorer.run(image, options, progress)
        for advice in restored.advice:
            _say(f"{job.source}: {advice}")
        result = restored.image
        for note in (*image.notes, *write_image(job.output, result.pixels, result, quality)):
            _say(f"{job.source}: {note}")

    _run_all(batch, run)


def _run_all(batch: Batch, run: Callable[[Job, TileProgress], None]) -> None:
    """Run every job, name the failures, and end with the exit code that they ask for."""
    for note in batch.notes:
        _say(note)
    failed = 0
    with _bars(len(batch.jobs)) as report:
        for number, job in enumerate(batch.jobs):
            report(job.source.name, number, 0)
            try:
                run(job, partial(_report_tiles, report, job.source.name, number))
                print(f"{job.source} -> {job.output}", flush=True)
            except (AdairError, OSError, MemoryError) as error:
                text = " ".join(str(error).split()) or type(error).__name__
                _say(text if str(job.source) in text or str(job.output) in text else f"{job.source}: {text}")
                failed += 1
    if failed:
        if len(batch.jobs) > 1:
            _say(f"{failed} of {len(batch.jobs)} files failed")
        raise typer.Exit(1 if failed < len(batch.jobs) else 2)


def _report_tiles(report: Report, name: str, number: int, done: int, total: int) -> None:
    report(name, number, done / total)


def _say(text: str) -> None:
    print(f"adair: {text}", file=sys.stderr, flush=True)


@contextmanager
def _bars(files: int) -> Iterator[Report]:
    """A bar over all files, in a terminal only; the yielded function takes a name, its number and its done part."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    # Lines printed meanwhile appear above the bar; into a pipe they go as they are.
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task = bar.add_task("", total=files)

        def report(name: str, number: int, part: float) -> None:
            bar.update(task, completed=number + part, description=f"{number + 1}/{files} {name}")

        yield report
