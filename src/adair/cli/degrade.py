"""``adair degrade``: degrade photos with a recipe, to test restorers or for training."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from adair.errors import LONGEST_LINE, AdairError, one_line


def degrade(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.", metavar="IMAGE...")],
    recipe: Annotated[str, typer.Option("--recipe", "-r", help="For example 'blur(sigma=1..2) > noise(sigma=25)'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A file for one image, otherwise a folder.")],
    seed: Annotated[int, typer.Option(help="Seed of the first file; it increases by one for each file.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quality: Annotated[int, typer.Option(help="1 to 100 for JPEG, WebP, AVIF; 100: lossless WebP, AVIF.")] = 95,
) -> None:
    """Degrade photos with a recipe.

    Operators: noise, poisson, camera, grain, smooth, sharpen, blur, motion, defocus, resize, downscale, jpeg, webp,
    rain, haze, lowlight, banding, impulse, scratches, holes. 'a > b' is a, then b; 'a | b' one of them; 'a?0.5' a
    with that probability; 'shuffle(a, b)' both in random order. A parameter is a number, a range 1..2, a choice {2,
    3, 4} or a name. PNG and TIFF store the result without loss; JPEG, WebP and AVIF do not. Exit code 1: some files
    failed; 2: all failed.
    """
    import numpy as np

    from adair.degradations import degrade as worse
    from adair.degradations import parse_recipe
    from adair.images import read_image, write_image
    from adair.images.parts import explain
    from adair.restore.batch import Naming, expand_patterns, plan_batch

    parsed = parse_recipe(recipe)
    batch = plan_batch(expand_patterns(images), output, Naming("degraded"))
    for note in batch.notes:
        print(f"adair: {one_line(note)}", file=sys.stderr)
    failed = 0
    for number, job in enumerate(batch.jobs):
        try:
            if job.output.exists() and not overwrite:
                raise AdairError(f"{job.output}: exists; choose another name with -o, or replace it with --overwrite")
            image = read_image(job.source)
            whole = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
            result = worse(whole, parsed, seed + number)
            pixels, alpha = (result, None) if image.alpha is None else (result[..., :-1], result[..., -1])
            like = dataclasses.replace(image, pixels=pixels, alpha=alpha)
            for note in (*image.notes, *write_image(job.output, pixels, like, quality, overwrite)):
                print(one_line(f"adair: {job.source}: {note}"), file=sys.stderr)
            print(one_line(f"{job.source} -> {job.output}", 2 * LONGEST_LINE), flush=True)
        except (AdairError, OSError, MemoryError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, OSError):  # reading has a message of its own
                text = f"{job.output}: cannot be written: {explain(error)}"
            known = str(job.source) in text or str(job.output) in text
            print(one_line(f"adair: {text if known else f'{job.source}: {text}'}"), file=sys.stderr, flush=True)
            failed += 1
    if failed:
        raise typer.Exit(1 if failed < len(batch.jobs) else 2)
