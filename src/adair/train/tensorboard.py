"""Curves for TensorBoard, on request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adair.errors import AdairError
from adair.train.plan import Report


@contextmanager
def tensorboard_log(folder: Path) -> Iterator[Callable[[Report], None]]:
    """Open a log in ``folder``; what it yields notes loss, learning rate and validation PSNR when they change.

    Raises:
        AdairError: the package tensorboard is missing.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise AdairError("--tensorboard needs the package tensorboard: pip install 'adair[train]'") from None
    last: dict[str, float] = {}

    def note(report: Report) -> None:
        values = {"loss": report.loss} | {f"psnr/{name}": value for name, value in report.psnr.items()}
        changed = {name: value for name, value in values.items() if last.get(name) != value and value == value}
        if "loss" in changed:
            changed["rate"] = report.rate
        for name, value in changed.items():
            writer.add_scalar(name, value, report.step)
        last.update(changed)

    writer = SummaryWriter(str(folder))
    try:
        yield note
    finally:
        writer.close()
