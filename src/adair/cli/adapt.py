"""``adair adapt``: train an adapter on a frozen foundation, from photos and a recipe, pairs, or noisy images alone."""

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
    PrecisionName,
    Restart,
    Seed,
    Shrink,
    Steps,
    Tensorboard,
    Texture,
    ValidateSteps,
)


def adapt(
    name: Annotated[str, typer.Argument(help="Name of the task: denoise, dehaze, ..., or your own.")],
    photos: Annotated[Path | None, typer.Option(help="Folder of clean photos; a --recipe degrades them.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Degradation to undo; known tasks have their own.")] = None,
    pairs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Folder of degraded pictures and folder of the same, clean.", metavar="DEGRADED CLEAN"),
    ] = None,
    degraded_only: Annotated[
        Path | None, typer.Option(help="Folder of noisy pictures, if there are no clean ones; noise of single pixels.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for so long; all else follows.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Adapter file; default: NAME.safetensors.")
    ] = None,
    foundation: Annotated[Path | None, typer.Option(help="Foundation file; default: the bundled one.")] = None,
    kind: Annotated[str, typer.Option(help="merge (free at run time, blends) or conv.")] = "merge",
    start: Annotated[
        Path | None, typer.Option(help="Adapter file to begin from; default for your own: the best bundled one.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin from the foundation alone.")] = False,
    patience: Annotated[
        int, typer.Option(help="Stop after so many validations clearly below the best; 0: never, keep the last.")
    ] = 5,
    steps: Steps = 10_000,
    batch: Batch = 4,
    patch: Patch = "128",
    learning_rate: LearningRate = 2e-3,
    optimiser: Optimiser = "muon",
    hold: Hold = 0.0,
    schedule: ByTime = "steps",
    max_minutes: MaxMinutes = None,
    validate_steps: ValidateSteps = 100,
    seed: Seed = 0,
    device: Device = None,
    precision: PrecisionName = None,
    texture: Texture = 0.0,
    shrink: Shrink = 3,
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
    """Train an adapter that undoes your kind of damage.

    Give clean photos and a recipe that damages them, or pairs of the same pictures degraded and clean, or noisy
    pictures alone. --minutes says how long; the rest has good defaults.
    """
    import re
    from functools import partial

    from adair.cli.training import build_plan, decode_photos, open_photos, print_lines, refuse_existing, show
    from adair.errors import AdairError
    from adair.restore.tasks import AUTO, FOUNDATION
    from adair.tasks import BUNDLED, TASKS, find_task
    from adair.train.adapt import adapt as run
    from adair.train.adapt import checkpoint_of
    from adair.train.lessons import Given, Lesson
    from adair.train.page import pages_of, use_line
    from adair.train.pairs import common_scale, match_pairs, open_pairs
    from adair.train.processes import join_processes
    from adair.train.selfsupervised import Neighbours, open_noisy
    from adair.weights import bundled_adapters, load_foundation

    if sum(source is not None for source in (photos, pairs, degraded_only)) != 1:
        raise AdairError("give one of --photos FOLDER (with --recipe), --pairs DEGRADED CLEAN, --degraded-only FOLDER")
    if recipe is not None and photos is None:
        raise AdairError(f"--recipe {recipe}: goes with --photos; pairs and noisy pictures are damaged already")
    if minutes is not None and max_minutes is not None:
        raise AdairError("--minutes and --max-minutes: give one; --minutes also lets the learning rate end with it")
    if minutes is not None:
        max_minutes, schedule, steps = minutes, "time", 10**9
    task = find_task(name)
    name = task.name if task else name
    lesson: str | Lesson
    if photos is None:
        lesson = Given() if pairs else Neighbours()
    elif recipe is not None or task is not None:
        lesson = recipe or (task.recipe if task else "")
    else:
        raise AdairError(f"{name}: no known task ({', '.join(TASKS)}); say what to undo with --recipe")
    if name in (AUTO, FOUNDATION) or not re.fullmatch(r"[\w-]+", name):
        raise AdairError(f"{name}: cannot be the name of a task; use letters, digits and -, not {AUTO} or {FOUNDATION}")
    processes = join_processes(device)
    going_on = resume or restart_schedule
    target = output or Path(f"{name}.safetensors")
    for path in (target, checkpoint_of(target), *pages_of(target)):
        refuse_existing(path, overwrite, going_on)
    plan = build_plan(
        lesson,
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
        patience=patience,
        device=device,
        precision=precision,
        checkpoint_minutes=checkpoint_minutes,
        checkpoint_keep=checkpoint_keep,
        checkpoint_part_mb=checkpoint_part_mb,
        checkpoint_precision=checkpoint_precision,
    )
    frozen = load_foundation(foundation)
    folder, left_out, scale = cache or target.parent / "cache", exclude or [], 1
    if photos is not None:
        store = open_photos(photos, folder, left_out, processes)
    elif pairs is not None:
        matches, alone = match_pairs(*pairs, left_out)
        store = decode_photos(partial(open_pairs, matches, folder), processes)
        scale = common_scale(store)
        if processes.first:
            print_lines([f"left out {line}" for line in alone])
            print_lines([f"note: {fact['note']}" for fact in store.facts if fact["note"]])
    elif degraded_only is not None:
        side = max(side for _, side in plan.patches)
        store = decode_photos(partial(open_noisy, degraded_only, folder, side, left_out), processes)
    if scale > 1 and not (task and task.scales):
        raise AdairError(f"{name}: the clean pictures are {scale} times larger; only task sr enlarges: name it sr (-o)")
    if photos is None:
        exam: dict[str, str | Lesson] = {"pairs" if pairs else "noisy": lesson}
    elif task is None or recipe is not None:
        exam = {"recipe": str(plan.recipe)}
    else:
        exam = dict(task.validation)
    bundled_again = name in BUNDLED and photos is not None and recipe is None  # from nothing, as it was first made
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
            bundled=bundled_adapters() if foundation is None else {},
            begin_best=not (bundled_again or fresh),
            scale=scale,
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
    if report.best_step and report.best_step != report.step:
        print(f"it holds the averaged weights of step {report.best_step}, the best on held-out photos")
    for label, value in report.psnr.items():
        print(f"  {label}: input {report.input_psnr[label]:.2f} dB, restored {value:.2f} dB")
    for label, value in report.beside.items():
        print(f"  beside it, {label}: {value:.2f} dB")
    for line in report.warnings:
        print(f"warning: {line}")
    print(f"look at it: {' and '.join(str(path) for path in pages_of(target))}")
    print(f"use it: {use_line(target, name, scale)}")
    if not report.finished:
        print("stopped early; go on with --resume and the same options")
