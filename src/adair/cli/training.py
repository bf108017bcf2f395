"""What the two training commands share: from options to a plan, and the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.hardware import choose_device, choose_precision
from adair.train.checkpoint import Saving
from adair.train.lessons import Lesson
from adair.train.photos import PhotoStore, open_store
from adair.train.plan import Plan, Report
from adair.train.processes import Processes
from adair.train.schedule import Schedule
from adair.train.tensorboard import tensorboard_log

Watch = Callable[[Report], None]
Tell = Callable[[str], None]
Decoded = Callable[[int, int], None]
MOST_LINES = 20


def build_plan(
    recipe: str | Lesson,
    *,
    patch: str,
    learning_rate: float,
    hold: float,
    schedule: str,
    device: str | None,
    precision: str | None,
    checkpoint_minutes: float,
    checkpoint_keep: int,
    checkpoint_part_mb: float | None,
    checkpoint_precision: str,
    **rest: Any,
) -> Plan:
    """Check the options of a training command and turn them into a plan."""
    if schedule not in ("steps", "time"):
        raise AdairError(f"--schedule {schedule}: choose steps or time")
    if checkpoint_precision not in ("fp32", "bf16"):
        raise AdairError(f"--checkpoint-precision {checkpoint_precision}: choose fp32 or bf16")
    return Plan(
        recipe=parse_recipe(recipe) if isinstance(recipe, str) else recipe,
        schedule=Schedule(learning_rate, hold=hold),
        patches=parse_patches(patch),
        by_time=schedule == "time",
        precision=_precision(precision, choose_device(device)),
        saving=Saving(checkpoint_minutes, checkpoint_keep, checkpoint_part_mb, checkpoint_precision == "bf16"),
        **rest,
    )


def _precision(name: str | None, device: torch.device) -> torch.dtype:
    """The precision to train in: where restoring would choose fp16 by itself, fp32, which needs no loss scaling."""
    chosen = choose_precision(name, device).dtype
    return torch.float32 if name in (None, "auto") and chosen == torch.float16 else chosen


def parse_patches(text: str) -> tuple[tuple[float, int], ...]:
    """Read progressive patch sizes: ``64`` or ``64,0.5:96,0.8:128``."""
    pairs = []
    for part in text.split(","):
        start, _, side = part.rpartition(":")
        try:
            pairs.append((float(start or 0), int(side)))
        except ValueError:
            raise AdairError(
                f"--patch {text}: '{part}' is not a size such as 64 or a start and a size such as 0.8:96"
            ) from None
    return tuple(sorted(pairs))


def backbone_config(backbone: str, width: int | None, blocks: str | None) -> dict[str, Any]:
    """Read the shape of a backbone from its options; what is not given stays at the default."""
    config: dict[str, Any] = {} if width is None else {"width": width}
    if blocks is not None:
        try:
            groups = [[int(number) for number in group.split(",")] for group in blocks.split("/")]
        except ValueError:
            raise AdairError(f"--blocks {blocks}: whole numbers, as in 1,1,2,6/2/1,1,1,1") from None
        if backbone == "nafnet":
            if len(groups) != 3 or len(groups[1]) != 1:
                raise AdairError(f"--blocks {blocks}: nafnet needs encoder/middle/decoder, as in 1,1,2,6/2/1,1,1,1")
            config |= {"encoder": groups[0], "middle": groups[1][0], "decoder": groups[2]}
        else:
            config["blocks"] = groups[0]
    return config


def refuse_existing(path: Path, overwrite: bool, resume: bool) -> None:
    """Raise `AdairError` if a result or a checkpoint would be lost."""
    if path.exists() and not (overwrite or resume):
        raise AdairError(f"{path}: exists already; choose another -o, --resume its training, or --overwrite it")


def open_photos(folder: Path, cache: Path, exclude: Sequence[str], processes: Processes) -> PhotoStore:
    """Open the store of a folder of clean photos (see `decode_photos`)."""
    return decode_photos(lambda progress: open_store(folder, cache, exclude, progress=progress), processes)


def decode_photos(opener: Callable[[Decoded | None], PhotoStore], processes: Processes) -> PhotoStore:
    """Open a store, decoding (in the first process) with a progress bar; name what had to be skipped.

    Args:
        opener: opens it, given what to call with (done, all) after each photo.
        processes: those that train together.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("decoding photos"), BarColumn(), TextColumn("{task.completed}/{task.total}"), console=console
    ) as bar:
        task = bar.add_task("", total=None, visible=False)

        def decode() -> None:
            opener(lambda i, n: bar.update(task, completed=i, total=n, visible=True))

        processes.from_first(decode)
    store = opener(None)  # decoded now: opening takes no time
    if processes.first:
        print_lines(f"skipped {reason}" for reason in store.skipped)
    return store


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to the terminal's error stream: the first twenty, and how many more there are."""
    some = list(lines)
    for line in some[:MOST_LINES]:
        print(line, file=sys.stderr)
    if len(some) > MOST_LINES:
        print(f"... and {len(some) - MOST_LINES} more", file=sys.stderr)


@contextmanager
def show(plan: Plan, processes: Processes, tensorboard: Path | None) -> Iterator[tuple[Watch, Tell]]:
    """Show a run, in the first process: a bar in a terminal, else a line for each validation; and what it tells."""
    if not processes.first:
        yield lambda report: None, lambda line: None
        return
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    log = tensorboard_log(tensorboard) if tensorboard else nullcontext(lambda report: None)
    with log as note, bar:
        task = bar.add_task("starting", total=1.0)
        printed = 0

        def watch(report: Report) -> None:
            nonlocal printed
            note(report)
            pace = report.step / max(report.seconds, 1e-9)
            line = f"step {report.step}  {pace:.2f} it/s  loss {report.loss:.4f}  rate {report.rate:.1e}"
            bar.update(task, completed=report.progress, description=line)
            if report.psnr and report.step % plan.validate_steps == 0 and report.step != printed:
                printed = report.step
                print(f"{line}  {report.seconds / 60:.1f} min  PSNR: {_results(report)}", file=sys.stderr, flush=True)

        yield watch, lambda line: print(line, file=sys.stderr, flush=True)


def _results(report: Report) -> str:
    return "  ".join(f"{name} {value:.2f} (input {report.input_psnr[name]:.2f})" for name, value in report.psnr.items())
