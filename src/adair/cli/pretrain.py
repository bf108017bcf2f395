"""``adair pretrain``: make a foundation from a folder of clean photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pretrain(
    photos: Annotated[Path, typer.Option(help="Folder of clean photos, searched recursively.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the checkpoint and the foundation.")],
    recipe: Annotated[
        str | None, typer.Option(help="Degradation mix to undo; default: the bundled foundation's.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="nafnet or restormer.")] = "nafnet",
    width: Annotated[int | None, typer.Option(help="Channels at full resolution.")] = None,
    blocks: Annotated[
        str | None,
        typer.Option(
            help="Blocks: for nafnet encoder/middle/decoder, such as 1,1,2,6/2/1,1,1,1; for restormer 4,6,6,8."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Length of the run in steps.")] = 100_000,
    batch: Annotated[int, typer.Option(help="Patches a step.")] = 16,
    patch: Annotated[
        str, typer.Option(help="Side of a patch in pixels; progressive as 64,0.8:96 (96 from 80 % on).")
    ] = "64",
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1e-3,
    hold: Annotated[float, typer.Option(help="Part of the run before the learning rate falls.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="steps, or time: the learning rate ends with --max-minutes.")] = "steps",
    max_minutes: Annotated[float | None, typer.Option(help="Stop cleanly at a checkpoint after so long.")] = None,
    validate_steps: Annotated[int, typer.Option(help="Steps between validations.")] = 500,
    seed: Annotated[int, typer.Option(help="All randomness follows from it.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the best at hand.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16 or fp16; default: the fastest that is safe.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Stem of a photo to leave out; repeat for more.")] = None,
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
