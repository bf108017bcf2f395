"""``adair pretrain``: make a foundation from a folder of clean photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.options import (
    Batch,
    ByTime,
    CheckpointKeep,
    CheckpointMinutes,
    CheckpointPartMb,
    CheckpointPrecision,
    Compile,
    Device,
    Exclude,
    Hold,
    LearningRate,
    MaxMinutes,
    Optimiser,
    Patch,
    Photos,
    PrecisionName,
    Restart,
    Seed,
    Shrink,
    Steps,
    Tensorboard,
    Texture,
    ValidateSteps,
)


def pretrain(
    photos: Photos,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the checkpoint and the foundation.")],
    recipe: Annotated[str | None, typer.Option(help="Degradations to undo; default: the bundled mix.")] = None,
    start: Annotated[Path | None, typer.Option(help="Foundation file to begin from, or to grow from.")] = None,
    start_adapter: Annotated[Path | None, typer.Option(help="Adapter to merge into --start first.")] = None,
    backbone: Annotated[str | None, typer.Option(help="nafnet (default) or restormer.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels at full resolution.")] = None,
    blocks: Annotated[
        str | None,
        typer.Option(help="nafnet: encoder/middle/decoder, as in 1,1,2,6/2/1,1,1,1; restormer: levels, as in 4,6,6,8."),
    ] = None,
    steps: Steps = 100_000,
    batch: Batch = 8,
    patch: Patch = "128",
    learning_rate: LearningRate = 1e-3,
    optimiser: Optimiser = "muon",
    hold: Hold = 0.0,
    schedule: ByTime = "steps",
    max_minutes: MaxMinutes = None,
    validate_steps: ValidateSteps = 500,
    seed: Seed = 0,
    device: Device = None,
    precision: PrecisionName = None,
    texture: Texture = 0.0,
    shrink: Shrink = 3,
    compile: Compile = False,
    exclude: Exclude = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: inside --output.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --output.")] = False,
    restart_schedule: Restart = False,
    checkpoint_minutes: CheckpointMinutes = 5.0,
    checkpoint_keep: CheckpointKeep = 1,
    checkpoint_part_mb: CheckpointPartMb = None,
    checkpoint_precision: CheckpointPrecision = "fp32",
    tensorboard: Tensorboard = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in --output.")] = False,
) -> None:
    """Pre-train a foundation on clean photos by undoing random degradations."""
    from adair.cli.training import backbone_config, build_plan, open_photos, refuse_existing, show
    from adair.tasks import MIX, MIX_VALIDATION
    from adair.train.pretrain import pretrain as run
    from adair.train.processes import join_processes

    processes = join_processes(device)
    for name in ("foundation.safetensors", "checkpoint.safetensors"):
        refuse_existing(output / name, overwrite, resume or restart_schedule)
    plan = build_plan(
        recipe or MIX,
        steps=steps,
        batch=batch,
        patch=patch,
        learning_rate=learning_rate,
        optimiser=optimiser,
        hold=hold,
        schedule=schedule,
        max_minutes=max_minutes,
        validate_steps=validate_steps,
        seed=seed,
        texture=texture,
        shrink=shrink,
        compile=compile,
        device=device,
        precision=precision,
        checkpoint_minutes=checkpoint_minutes,
        checkpoint_keep=checkpoint_keep,
        checkpoint_part_mb=checkpoint_part_mb,
        checkpoint_precision=checkpoint_precision,
    )
    config = backbone_config(backbone or "nafnet", width, blocks)
    store = open_photos(photos, cache or output / "cache", exclude or [], processes)
    exam = MIX_VALIDATION if recipe is None else {"recipe": recipe}
    with show(plan, processes, tensorboard) as (watch, tell):
        path, report = run(
            store,
            plan,
            output,
            backbone=backbone,
            config=config,
            exam=exam,
            start=start,
            start_adapter=start_adapter,
            device=device,
            resume=resume,
            restart=restart_schedule,
            watch=watch,
            tell=tell,
            processes=processes,
        )
    if processes.first:
        print(f"{path}: {report.step} steps, {report.seconds / 60:.1f} minutes")
        if not report.finished:
            print(f"stopped early; go on with --resume and the same options (checkpoint in {output})")
