"""See AdaIR work: damage three photos in five ways, restore them, and compare with the originals.

Run it with ``make demo``. It uses only what ``import adair`` offers, so it is also an example to copy from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from before_after import Pair, draw_sheet
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

import adair

PHOTOS = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Trial:
    """One task: how a photo is damaged, and which photo the sheet shows."""

    task: str
    damage: str
    degrade: Callable[[Image.Image], Image.Image]
    shown: str
    scale: int | None = None


def by_recipe(recipe: str) -> Callable[[Image.Image], Image.Image]:
    """Damage with a recipe; the seed makes every run the same."""
    return lambda photo: adair.degrade(photo, recipe, seed=0)


def half_size(photo: Image.Image) -> Image.Image:
    """A small picture to enlarge again."""
    return photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.BICUBIC)


TRIALS = [
    Trial("denoise", "noise, sigma 20, in a JPEG", by_recipe("noise(sigma=20) > jpeg(quality=90)"), "kitten"),
    Trial("sr", "half size", half_size, "lake", scale=2),
    Trial("deblur", "Gaussian blur, sigma 2", by_recipe("blur(sigma=2)"), "colosseum"),
    Trial(
        "derain", "rain streaks", by_recipe("rain(amount=0.15, angle=-20, length=35, brightness=0.6, haze=0)"), "kitten"
    ),
    Trial("dejpeg", "JPEG, quality 10", by_recipe("jpeg(quality=10)"), "lake"),
]


def psnr(photo: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB over all RGB values of 8 bits; higher is closer to the original."""
    difference = np.asarray(photo, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def run(output: Path) -> Table:
    """Do all trials on all photos, write the pictures, and return the table of figures."""
    restorer = adair.Restorer.load()
    photos = {path.stem: Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.webp"))}
    columns: list[Pair] = []
    table = Table("task", "damage", title=f"PSNR in dB, mean of {len(photos)} photos")
    for heading in ("damaged", "restored", "gain"):
        table.add_column(heading, justify="right")
    for trial in track(TRIALS, "restoring", transient=True):
        befores, afters = [], []
        for name, photo in photos.items():
            damaged = trial.degrade(photo)
            restored = restorer.restore(damaged, task=trial.task, scale=trial.scale)
            before = damaged.resize(photo.size, Image.Resampling.BICUBIC)
            damaged.save(output / f"{name}_{trial.task}_damaged.png")
            restored.save(output / f"{name}_{trial.task}_restored.png")
            befores.append(psnr(photo, before))
            afters.append(psnr(photo, restored))
            if name == trial.shown:
                columns.append(Pair(trial.task, before, restored, befores[-1], afters[-1]))
        row = (mean(befores), mean(afters), mean(afters) - mean(befores))
        table.add_row(trial.task, trial.damage, f"{row[0]:.2f}", f"{row[1]:.2f}", f"{row[2]:+.2f}")
    draw_sheet(columns).save(output / "before_after.png")
    return table


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder for the pictures (default: demo)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    console = Console()
    try:
        console.print(run(output))
    except adair.AdairError as error:
        raise SystemExit(f"demo: {error}") from error
    console.print(f"{time.perf_counter() - start:.0f} seconds. Look at {output / 'before_after.png'}", soft_wrap=True)


if __name__ == "__main__":
    main()
