"""``adair adapt``: train an adapter for a degradation, on a frozen foundation."""

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
    Steps,
    Tensorboard,
    Texture,
    ValidateSteps,
)


def adapt(
    name: Annotated[str, typer.Argument(help="Name of the task: denoise, sr, ..., or your own.")],
    photos: Photos,
    recipe: Annotated[str | None, typer.Option(help="Degradation to undo; a bundled task has its own.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Adapter file; default: NAME.safetensors.")
    ] = None,
    foundation: Annotated[Path | None, typer.Option(help="Foundation file; default: the bundled one.")] = None,
    kind: Annotated[str, typer.Option(help="merge (free at run time, blends) or conv.")] = "merge",
    start: Annotated[Path | None, typer.Option(help="Adapter file to begin from.")] = None,
    steps: Steps = 10_000,
    batch: Batch = 16,
    patch: Patch = "64",
    learning_rate: LearningRate = 2e-3,
    optimiser: Optimiser = "muon",
    hold: Hold = 0.0,
    schedule: ByTime = "steps",
    max_minutes: MaxMinutes = None,
    validate_steps: ValidateSteps = 250,
    seed: Seed = 0,
    device: Device = None,
    precision: PrecisionName = None,
    texture: Texture = 0.0,
    compile: Compile = False,
    exclude: Exclude = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded photos; default: beside the adapter.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside the adapter.")] = False,
    restart_schedule: Restart = False,
    checkpoint_minutes: CheckpointMinutes = 5.0,
    checkpoint_keep: CheckpointKeep = 1,
    checkpoint_part_mb: CheckpointPartMb = None,
    checkpoint_precision: CheckpointPrecision = "fp32",
    tensorboard: Tensorboard = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the adapter if it exists.")] = False,
) -> None:
    """Train an adapter: clean photos in, your degradation undone."""
    from adair.cli.training import build_plan, open_photos, refuse_existing, show
    from adair.errors import AdairError
    from adair.train.adapt import adapt as run
    from adair.train.adapt import checkpoint_of
    from adair.train.processes import join_processes
    from adair.train.tasks import TASKS
    from adair.weights import load_foundation

    task = TASKS.get(name)
    if recipe is None and task is None:
        raise AdairError(f"{name}: not a bundled task ({', '.join(TASKS)}); say what to undo with --recipe")
    processes = join_processes(device)
    target = output or Path(f"{name}.safetensors")
    for path in (target, checkpoint_of(target)):
        refuse_existing(path, overwrite, resume or restart_schedule)
    plan = build_plan(
        recipe or (task.recipe if task else ""),
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
        compile=compile,
        device=device,
        precision=precision,
        checkpoint_minutes=checkpoint_minutes,
        checkpoint_keep=checkpoint_keep,
        checkpoint_part_mb=checkpoint_part_mb,
        checkpoint_precision=checkpoint_precision,
    )
    frozen = load_foundation(foundation)
    store = open_photos(photos, cache or target.parent / "cache", exclude or [], processes)
    exam = task.exam if task and recipe is None else {"recipe": str(plan.recipe)}
    with show(plan, processes, tensorboard) as (watch, tell):
        report = run(
            name,
            frozen,
            store,
            plan,
            target,
            kind=kind,
            exam=exam,
            start=start,
            device=device,
            resume=resume,
            restart=restart_schedule,
            watch=watch,
            tell=tell,
            processes=processes,
        )
    if not processes.first:
        return
    print(f"{target}: {report.step} steps, {report.seconds / 60:.1f} minutes")
    for label, value in report.psnr.items():
        print(f"  {label}: input {report.input_psnr[label]:.2f} dB, restored {value:.2f} dB")
    print(f"use it: adair restore PHOTO --adapter {target} --task {name}")
    if not report.finished:
        print("stopped early; go on with --resume and the same options")
