"""``adair pretrain``: make a foundation from a folder of clean photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.options import (
    Batch,
    ByTime,
    Device,
    Exclude,
    Hold,
    LearningRate,
    MaxMinutes,
    Patch,
    Photos,
    PrecisionName,
    Seed,
    Steps,
    ValidateSteps,
)


def pretrain(
    photos: Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the checkpoint and the foundation.")],
    recipe: Annotated[str | None, typer.Option(help="Degradations to undo; default: the bundled mix.")] = None,
    backbone: Annotated[str, typer.Option(help="nafnet or restormer.")] = "nafnet",
    width: Annotated[int | None, typer.Option(help="Channels at full resolution.")] = None,
    blocks: Annotated[
        str | None,
        typer.Option(help="nafnet: encoder/middle/decoder, as in 1,1,2,6/2/1,1,1,1; restormer: levels, as in 4,6,6,8."),
    ] = None,
    steps: Steps = 100_000,
    batch: Batch = 16,
    patch: Patch = "64",
    learning_rate: LearningRate = 1e-3,
    hold: Hold = 0.0,
    schedule: ByTime = "steps",
    max_minutes: MaxMinutes = None,
    validate_steps: ValidateSteps = 500,
    seed: Seed = 0,
    device: Device = None,
    precision: PrecisionName = None,
    exclude: Exclude = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: inside --output.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --output.")] = False,
) -> None:
    """Pre-train a foundation on clean photos by undoing random degradations."""
    from adair.cli.training import backbone_config, build_plan, open_photos, progress_bar
    from adair.train.pretrain import pretrain as run
    from adair.train.tasks import MIX, MIX_EXAM

    plan = build_plan(
        recipe or MIX,
        steps=steps,
        batch=batch,
        patch=patch,
        learning_rate=learning_rate,
        hold=hold,
        schedule=schedule,
        max_minutes=max_minutes,
        validate_steps=validate_steps,
        seed=seed,
        device=device,
        precision=precision,
    )
    config = backbone_config(backbone, width, blocks)
    store = open_photos(photos, cache or output / "cache", exclude or [])
    exam = MIX_EXAM if recipe is None else {"recipe": recipe}
    with progress_bar(plan) as watch:
        path, report = run(
            store, plan, output, backbone=backbone, config=config, exam=exam, device=device, resume=resume, watch=watch
        )
    print(f"{path}: {report.step} steps, {report.seconds / 60:.1f} minutes")
    if not report.finished:
        print(f"stopped early; go on with --resume and the same options (checkpoint in {output})")
