"""``adair pretrain``: train a foundation on a folder of clean photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.machine import Device, PrecisionName
from adair.cli.options import (
    AverageSteps,
    Batch,
    ByTime,
    CheckpointKeep,
    CheckpointMinutes,
    CheckpointPartMb,
    CheckpointPrecision,
    Compile,
    ConfigFile,
    Exclude,
    Hold,
    LearningRate,
    MaxMinutes,
    Optimiser,
    Patch,
    Photos,
    Restart,
    Seed,
    Shrink,
    Steps,
    Tensorboard,
    Texture,
    Unshuffle,
    ValidateSteps,
    settings_of,
)


def pretrain(
    photos: Photos = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the checkpoint and the foundation.")
    ] = None,
    config: ConfigFile = None,
    recipe: Annotated[str | None, typer.Option(help="Degradations to undo; default: the bundled mix.")] = None,
    start: Annotated[Path | None, typer.Option(help="Foundation file to start from, or to grow from.")] = None,
    start_adapter: Annotated[Path | None, typer.Option(help="Adapter to merge into --start first.")] = None,
    backbone: Annotated[str | None, typer.Option(help="nafnet (default) or restormer.")] = None,
    width: Annotated[int | None, typer.Option(help="Channels at full resolution.")] = None,
    blocks: Annotated[
        str | None,
        typer.Option(
            help="nafnet: encoder/middle/decoder, such as 1,1,2,6/2/1,1,1,1; restormer: levels, such as 4,6,6,8."
        ),
    ] = None,
    unshuffle: Unshuffle = None,
    steps: Steps = None,
    batch: Batch = None,
    patch: Patch = None,
    learning_rate: LearningRate = None,
    optimiser: Optimiser = None,
    average_steps: AverageSteps = None,
    hold: Hold = None,
    schedule: ByTime = None,
    max_minutes: MaxMinutes = None,
    validate_steps: ValidateSteps = None,
    seed: Seed = None,
    device: Device = None,
    precision: PrecisionName = None,
    texture: Texture = None,
    shrink: Shrink = None,
    compile: Compile = False,
    exclude: Exclude = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: inside --output.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint in --output.")] = False,
    restart_schedule: Restart = False,
    checkpoint_minutes: CheckpointMinutes = None,
    checkpoint_keep: CheckpointKeep = None,
    checkpoint_part_mb: CheckpointPartMb = None,
    checkpoint_precision: CheckpointPrecision = None,
    tensorboard: Tensorboard = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the files in --output.")] = False,
) -> None:
    """Pre-train a foundation on clean photos by undoing random degradations."""
    flags = dict(locals())  # all parameters, before any other local variable exists
    from adair.cli.training import Terminal, end
    from adair.train.config import TrainConfig
    from adair.train.pretrain import pretrain as run

    settings = (TrainConfig.read(config) if config else TrainConfig()).override(settings_of(flags))
    with Terminal() as terminal:
        result = run(
            settings, resume=resume, restart_schedule=restart_schedule, overwrite=overwrite, callbacks=[terminal]
        )
    if result.first:
        state = result.state
        print(f"{result.path}: {state.step} steps, {state.seconds / 60:.1f} minutes")
        end(result, f" (checkpoint in {result.path.parent})")
