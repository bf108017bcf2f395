"""Measure task "auto" on the field's test sets: is the damage found, is the result as good as the right adapter's?

    python benchmarks/auto.py --data FOLDER [--limit N] [--psnr] [--json FILE]
    python benchmarks/auto.py --harm FOLDER [--limit N] [--json FILE]
    python benchmarks/auto.py --mixtures PHOTOS [--exclude STEM ...] [--limit N] [--json FILE]

FOLDER is as for `adair bench`. Two tables: degraded images (the right kind found first, and the PSNR of auto less that
of the adapter that a person who knows would choose; where auto chooses that adapter it is zero, so only the other
images are restored, unless --psnr asks for all), and clean images (what auto leaves alone, and how near the rest
stays). With --harm another one: how often auto leaves an image more than 0.1 dB worse than it was, on all of these, on
real noise, on the damage of photos and on damage that auto does not know. With --mixtures a third one: ways to treat
damage of several kinds, from which the rules of auto are chosen; so it uses no test set, but those photos of PHOTOS
that `recipes/estimator.py` holds out of the same folder. All PSNR are RGB, of results rounded to 8 bits; inputs are
8-bit images too, but for noise that is not clipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from adair import RestoreOptions, Restorer
from adair.bench.datasets import clean_images, load
from adair.bench.inputs import Degraded, Noise, Paired, Small, Source
from adair.bench.suites import PHOTO, UNSEEN
from adair.degradations import parse_recipe, resize
from adair.inspect import Advice
from adair.metrics import psnr, quantise
from adair.train.photos import find_photos, read_photo, spread

DEGRADED: list[tuple[str, str, str, Source]] = [
    *(("denoise", "CBSD68", f"sigma {s}", Noise(s)) for s in (15, 25, 50)),
    *(("denoise", "CBSD68", f"sigma {s} clipped", Noise(s, clipped=True)) for s in (15, 25, 50)),
    *(("sr", name, f"x{s}", Small(s)) for name in ("Set14", "Kodak24") for s in (2, 3, 4)),
    *(("deblur", "Kodak24", f"sigma {s}", Degraded(f"blur(sigma={s}, kernel=25)")) for s in (1.2, 1.6, 2.0, 3.0)),
    ("derain", "Rain100L", "light rain", Paired()),
    *(("dejpeg", "LIVE1", f"quality {q}", Degraded(f"jpeg(quality={q}, chroma=420)")) for q in (10, 20, 30, 40)),
]
HARM: list[tuple[str, str, Source]] = [
    *((dataset, f"{task} {name}", source) for task, dataset, name, source in DEGRADED),
    ("PolyU_canon", "real noise", Paired("real", "mean")),
    ("Kodak24", "noise 20 in JPEG 90", Degraded("noise(sigma=20) > jpeg(quality=90)")),
    *(("Kodak24", f"photo: {name}", Degraded(recipe)) for name, recipe in PHOTO.items()),
    *(("Kodak24", f"unknown: {name}", Degraded(recipe)) for name, recipe in UNSEEN.items()),
]
HARMED = 0.1  # dB below the input that count as harm: less is not seen
CLEAN = ("Kodak24", "McMaster", "CBSD68", "LIVE1", "Set14")
MIXTURES = {
    "noise 15 > JPEG 40": ("noise(sigma=15) > jpeg(quality=40)", ("dejpeg", "denoise")),
    "noise 30 > JPEG 60": ("noise(sigma=30) > jpeg(quality=60)", ("dejpeg", "denoise")),
    "blur 1.5 > noise 10": ("blur(sigma=1.5) > noise(sigma=10)", ("denoise", "deblur")),
    "blur 1.5 > JPEG 30": ("blur(sigma=1.5) > jpeg(quality=30)", ("dejpeg", "deblur")),
    "x2 > JPEG 40": ("resize(scale=2) > jpeg(quality=40)", ("dejpeg", "sr")),
    "x2 > noise 15": ("resize(scale=2) > noise(sigma=15)", ("denoise", "sr")),
    "rain > noise 15": ("rain(amount=0.1, brightness=0.5, haze=0) > noise(sigma=15)", ("denoise", "derain")),
    "rain > JPEG 40": ("rain(amount=0.1, brightness=0.5, haze=0) > jpeg(quality=40)", ("dejpeg", "derain")),
}
HELD_OUT = 24  # photos: as in recipes/estimator.py
UNTOUCHED = 100.0  # dB written for a result that is the input itself


def quality(image: Tensor, clean: Tensor) -> float:
    return min(UNTOUCHED, float(psnr(quantise(image), clean)))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def first(items: list[Any], limit: int | None) -> list[Any]:
    """Return up to ``limit`` of the items, evenly spaced."""
    if limit is None or limit >= len(items):
        return items
    return [items[i * len(items) // limit] for i in range(limit)]


def degraded_images(data: Path, dataset: str, source: Source, limit: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield clean images and their degraded ones, of one size: small ones are enlarged (MATLAB's bicubic, 8 bits)."""
    for sample in first(source.find(data, dataset).samples, limit):
        clean, given = source.make(load(sample.clean), sample)
        if source.scale:
            given = quantise(resize(given, (clean.shape[-2], clean.shape[-1])))
        yield clean, given


def level(advice: Advice, task: str) -> float:
    """Return what is believed of the damage that ``task`` undoes."""
    return next(finding.level for finding in advice.findings if finding.task == task)


def follow(restorer: Restorer, image: Tensor, steps: tuple[dict[str, float], ...]) -> Tensor:
    """Apply blends one after the other, at the image's size."""
    for blend in steps:
        image = quantise(restorer.restore(image, blend or "foundation", scale=1))
    return image


def measure_degraded(data: Path, restorer: Restorer, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for task, dataset, name, source in DEGRADED:
        if not (data / dataset).is_dir() or (options.task and task not in options.task):
            continue
        rows: list[tuple[float, ...]] = []
        plans: list[str] = []
        for clean, given in degraded_images(data, dataset, source, options.limit):
            advice = restorer.inspect(given)[0]
            main = advice.main
            plans.append(" > ".join("+".join(blend) or "foundation" for blend in advice.plan) or "nothing")
            row: tuple[float, ...] = (float(main is not None and main.task == task), level(advice, task), 0.0)
            same = advice.plan == ({task: 1.0},)
            if options.psnr or not same:
                right = quality(follow(restorer, given, ({task: 1.0},)), clean)
                auto = right if same else quality(restorer.restore(given, "auto"), clean)
                row = (*row[:2], auto - right)
                row += (quality(given, clean), right, auto) if options.psnr else ()
            rows.append(row)
        columns = [mean(column) for column in zip(*rows, strict=True)]
        names = ("found", "level", "auto - right", "input", "right adapter", "auto")
        yield {"task": task, "set": dataset, "setting": name, "images": len(rows)} | {
            **dict(zip(names, columns, strict=False)),
            "plans": {plan: plans.count(plan) for plan in sorted(set(plans))},
        }


def measure_harm(data: Path, restorer: Restorer, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for dataset, name, source in HARM:
        if not (data / dataset).is_dir():
            continue
        gains: list[float] = []
        harmed: list[str] = []
        treated = 0
        for number, (clean, given) in enumerate(degraded_images(data, dataset, source, options.limit)):
            outcome = restorer.run(given, RestoreOptions("auto"))
            treated += bool(outcome.advice[0].plan)
            gains.append(quality(outcome.image, clean) - quality(given, clean))
            if gains[-1] < -HARMED:
                harmed.append(f"{number}: {gains[-1]:.2f} dB, {outcome.advice[0]}")
        yield {
            "set": dataset,
            "setting": name,
            "images": len(gains),
            "treated": treated,
            "mean gain": mean(gains),
            "worst": min(gains),
            "harmed": harmed,
        }


def measure_clean(data: Path, restorer: Restorer, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for dataset in CLEAN:
        if not (data / dataset).is_dir():
            continue
        near: list[float] = []
        plans: list[str] = []
        for sample in first(clean_images(data, dataset).samples, options.limit):
            image = load(sample.clean)
            advice = restorer.inspect(image)[0]
            if advice.plan:
                plans.append(f"{sample.clean.stem}: {advice}")
            near.append(quality(restorer.restore(image, "auto"), image) if advice.plan else UNTOUCHED)
        yield {
            "set": dataset,
            "images": len(near),
            "left alone": near.count(UNTOUCHED) / len(near),
            "45 dB": mean([float(value >= 45) for value in near]),
            "mean": mean(near),
            "lowest": min(near),
            "treated": plans,
        }


def ways(tasks: tuple[str, str]) -> dict[str, tuple[dict[str, float], ...]]:
    """Return the ways to treat two kinds of damage; ``tasks`` in the order that undoes the last damage first."""
    last, early = tasks
    return {
        "foundation": ({},),
        "last alone": ({last: 1.0},),
        "first alone": ({early: 1.0},),
        "halves": ({last: 0.5, early: 0.5},),
        "last damage first": ({last: 1.0}, {early: 1.0}),
        "first damage first": ({early: 1.0}, {last: 1.0}),
        "foundation, then first": ({}, {early: 1.0}),
    }


def centres(photos: Path, exclude: Sequence[str], limit: int | None) -> Iterator[Tensor]:
    """Yield the centres, 384x256 pixels, of the photos held out; large ones are halved: small ones are as sharp."""
    paths = find_photos(photos, exclude)
    for index in first(spread(HELD_OUT, len(paths)), limit):
        image = Image.fromarray(read_photo(paths[index], 2048))
        image = image.reduce(2) if min(image.size) >= 2 * 384 else image
        left, top = (image.width - 384) // 2, (image.height - 256) // 2
        pixels = np.asarray(image.crop((left, top, left + 384, top + 256)), np.float32)
        yield torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0) / 255


def measure_mixtures(photos: Path, restorer: Restorer, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    images = list(centres(photos, options.exclude, options.limit))
    for name, (recipe, tasks) in MIXTURES.items():
        scores: dict[str, list[float]] = {}
        for number, clean in enumerate(images):
            given = quantise(parse_recipe(recipe).run(clean, torch.Generator().manual_seed(number)))
            scores.setdefault("input", []).append(quality(given, clean))
            for way, steps in ways(tasks).items():
                scores.setdefault(way, []).append(quality(follow(restorer, given, steps), clean))
            scores.setdefault("auto", []).append(quality(restorer.restore(given, "auto"), clean))
        yield {"mixture": name, "images": len(images), **{way: mean(values) for way, values in scores.items()}}


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()))
    console.print(table)


def summary(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield, for each task and overall, the share found and what auto loses against the right adapter."""
    for task in [*dict.fromkeys(row["task"] for row in rows), None]:
        chosen = [row for row in rows if task in (None, row["task"])]
        images = sum(row["images"] for row in chosen)

        def over(
            value: Callable[[dict[str, Any]], float], chosen: list[dict[str, Any]] = chosen, images: int = images
        ) -> float:
            return float(sum(value(row) * row["images"] for row in chosen) / images)

        found, apart = over(lambda row: row["found"]), over(lambda row: row["auto - right"])
        yield f"{task or 'all'}: found on {found:.1%} of {images}; auto {apart:+.3f} dB from the right adapter"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of test sets")
    parser.add_argument("--limit", type=int, help="only N images of each setting, evenly spaced")
    parser.add_argument("--task", action="append", help="only degraded images of this task; repeat for more")
    parser.add_argument("--psnr", action="store_true", help="restore every image, not only those where auto differs")
    parser.add_argument("--harm", type=Path, help="measure harm alone, on this folder of test sets")
    parser.add_argument("--mixtures", type=Path, help="measure mixtures alone, on this folder of training photos")
    parser.add_argument("--exclude", action="append", default=[], help="stem of a photo left out of training; repeat")
    parser.add_argument("--estimator", type=Path, help="an estimator file instead of the bundled one")
    parser.add_argument("--foundation", type=Path, help="a foundation file instead of the bundled; name adapters too")
    parser.add_argument("--adapter", type=Path, action="append", default=[], help="an adapter file to add")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    if sum(folder is not None for folder in (options.data, options.harm, options.mixtures)) != 1:
        parser.error("give one of --data FOLDER, --harm FOLDER and --mixtures PHOTOS")
    console = Console(width=180)
    restorer = Restorer.load(options.foundation, estimator=options.estimator)
    for path in options.adapter:
        restorer.add_adapter(path, replace=True)
    parts: dict[str, Callable[[Path, Restorer, argparse.Namespace], Iterator[dict[str, Any]]]]
    parts = {"degraded": measure_degraded}
    if options.mixtures:
        parts = {"mixtures": measure_mixtures}
    elif options.harm:
        parts = {"harm": measure_harm, "clean": measure_clean}
    elif not options.task:
        parts["clean"] = measure_clean
    result: dict[str, list[dict[str, Any]]] = {}
    for part, measure in parts.items():
        result[part] = []
        for row in measure(options.data or options.harm or options.mixtures, restorer, options):
            print(json.dumps(row), file=sys.stderr)
            result[part].append(row)
        show(console, result[part])
    for line in summary(result["degraded"]) if result.get("degraded") else []:
        console.print(line, highlight=False)
    if rows := result.get("harm"):
        images, harmed = sum(row["images"] for row in rows), sum(len(row["harmed"]) for row in rows)
        console.print(f"auto more than {HARMED} dB below the input: {harmed} of {images}", highlight=False)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
