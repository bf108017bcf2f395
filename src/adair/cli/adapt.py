"""``adair adapt``: train an adapter on a frozen foundation, from photos and a recipe, pairs, or noisy images alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.machine import Device, PrecisionName
from adair.cli.names import FoundationFile, weights_file
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


def adapt(
    name: Annotated[str | None, typer.Argument(help="Name of the task: denoise, dehaze, ..., or your own.")] = None,
    config: ConfigFile = None,
    photos: Annotated[Path | None, typer.Option(help="Folder of clean photos, which --recipe degrades.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Degradation to undo; known tasks have their own.")] = None,
    pairs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Folder of degraded images, and folder of the same images, clean.", metavar="DEGRADED CLEAN"),
    ] = None,
    degraded_only: Annotated[
        Path | None,
        typer.Option(help="Folder of noisy images, if there are no clean ones; for noise without correlation."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Length of the training; all other settings follow from it.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Adapter file; default: NAME.safetensors.")
    ] = None,
    foundation: FoundationFile = None,
    kind: Annotated[
        str | None, typer.Option(help="merge (no cost at run time, can be blended) or conv. [default: merge]")
    ] = None,
    unshuffle: Unshuffle = None,
    start: Annotated[
        Path | None,
        typer.Option(
            parser=weights_file,
            metavar="NAME",
            help="Adapter to start from: a file or zoo/NAME; default for your own damage: the best bundled one.",
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start from the foundation alone.")] = False,
    advise: Annotated[
        bool,
        typer.Option("--advise", help="Train nothing; say what to start from, and how much data it will take."),
    ] = False,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after this many validations clearly below the best; 0: never. [default: 5]"),
    ] = None,
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
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: next to the adapter.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the checkpoint next to the adapter.")] = False,
    restart_schedule: Restart = False,
    checkpoint_minutes: CheckpointMinutes = None,
    checkpoint_keep: CheckpointKeep = None,
    checkpoint_part_mb: CheckpointPartMb = None,
    checkpoint_precision: CheckpointPrecision = None,
    tensorboard: Tensorboard = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing adapter.")] = False,
) -> None:
    """Train an adapter that undoes your kind of damage.

    Give clean photos and a recipe that degrades them, or pairs of the same images degraded and clean, or noisy images
    alone. --minutes sets the length; everything else has good defaults.
    """
    flags = dict(locals())  # all parameters, before any other local variable exists
    from adair.cli.training import Terminal, end
    from adair.train.adapt import adapt as run
    from adair.train.config import TrainConfig
    from adair.train.report import pages_of, use_line

    settings = (TrainConfig.read(config) if config else TrainConfig()).override(settings_of(flags))
    if advise:
        from adair.train.recommend import recommend

        for line in recommend(settings).lines():
            print(line)
        return
    with Terminal() as terminal:
        result = run(
            settings, resume=resume, restart_schedule=restart_schedule, overwrite=overwrite, callbacks=[terminal]
        )
    if not result.first:
        return
    target, state = result.path, result.state
    print(f"{target}: {state.step} steps, {state.seconds / 60:.1f} minutes")
    if state.result_step != state.step:
        print(f"its weights are the average at step {state.result_step}, the best on held-out photos")
    for label, value in state.psnr.items():
        print(f"  {label}: input {state.input_psnr[label]:.2f} dB, restored {value:.2f} dB")
    for label, value in state.baselines.items():
        print(f"  compared with {label}: {value:.2f} dB")
    for line in state.warnings:
        print(f"warning: {line}")
    print(f"look at it: {' and '.join(str(path) for path in pages_of(target))}")
    print(f"use it: {use_line(target, result.task, result.scale, settings.network.foundation)}")
    end(result)
