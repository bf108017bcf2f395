"""``adair bench``: numbers that can be compared, with their protocols."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from adair.errors import AdairError


def bench(
    suites: Annotated[
        list[str] | None,
        typer.Argument(help="denoise, sr, deblur, derain, dejpeg, unseen; all if none is named.", metavar="[SUITE]..."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of test sets, one folder each.")] = Path("data"),
    dataset: Annotated[list[str] | None, typer.Option(help="Only this test set; repeat for more.")] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Only this method, or input, ours, peers; repeat for more.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N images of each test set.", min=1)] = None,
    json: Annotated[
        Path | None, typer.Option(help="Keep rows in this file; a rerun measures only what is not in it.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the rows that the file holds.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. Default: the best there is.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16 or fp16. Default: the fastest that is safe.")
    ] = None,
    foundation: Annotated[Path | None, typer.Option(help="Foundation file. Default: the bundled one.")] = None,
    adapter: Annotated[list[Path] | None, typer.Option(help="Adapter file of your own; repeat for more.")] = None,
) -> None:
    """Measure the input, the foundation, its adapters and other tools on the test sets of the field."""
    from adair.bench.methods import load_ours, own_methods
    from adair.bench.rows import Journal
    from adair.bench.runner import Bench
    from adair.bench.suites import SUITES

    restorer, adapters = load_ours(foundation, adapter or [], device, precision)
    bench = Bench(data, Journal(json, fresh), restorer.device, "", print, lambda *a: None, limit)
    for name in suites or SUITES:
        for setting in SUITES[name]:
            if dataset and setting.dataset not in dataset:
                continue
            if not (data / setting.dataset).is_dir():
                continue
            for row in bench.run(setting, own_methods(setting, restorer, adapters)):
                print(
                    row.dataset,
                    row.setting,
                    row.method,
                    row.psnr,
                    row.ssim,
                    row.images,
                    row.seconds_per_megapixel,
                    row.peak_mb,
                )
