"""Draw docs/pictures.md: what the bundled weights do to photos that were not chosen for it.

    python tools/pictures.py KODAK24 docs

The photos are every eighth of the folder in the order of their names, and what is shown is the middle of each.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import adair
from adair.bench.datasets import load
from adair.degradations import parse_recipe, resize
from adair.metrics import psnr, quantise
from adair.train.report import picture

EVERY = 8
SIDE, GAP, HEAD, FOOT = 224, 6, 26, 22
INK, QUIET, PAPER = "#1b1f24", "#59636e", "#ffffff"


@dataclass(frozen=True)
class Damage:
    """One way to damage a photo, and the factor of the enlargement that is asked for, if it makes photos smaller."""

    name: str
    recipe: str
    scale: int | None = None


SHEETS = {
    "denoise": (
        Damage("noise 20 in JPEG 90", "noise(sigma=20) > jpeg(quality=90)"),
        Damage(
            "coarse grain in WebP 85",
            "grain(sigma=15, size=2, colour=0.7, blotch=4, shadows=0.4) > webp(quality=85)",
        ),
    ),
    "sr": (
        Damage("a half of the size", "downscale(scale=2)", 2),
        Damage("a quarter of the size", "downscale(scale=4)", 4),
    ),
    "deblur": (Damage("blur, sigma 1.6", "blur(sigma=1.6)"), Damage("blur, sigma 3", "blur(sigma=3)")),
    "derain": (
        Damage("light rain", "rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0)"),
        Damage("heavy rain", "rain(haze=0)"),
    ),
    "dejpeg": (Damage("JPEG, quality 30", "jpeg(quality=30)"), Damage("JPEG, quality 10", "jpeg(quality=10)")),
}


@dataclass(frozen=True)
class Cell:
    """One cell of a sheet: an image (1, 3, H, W), of which the middle is shown, and what is written below."""

    image: Tensor
    caption: str


def trial(clean: Tensor, task: str, damage: Damage, restorer: adair.Restorer, seed: int) -> list[Cell]:
    """Damage a photo (1, 3, H, W) and restore it; a small image is shown enlarged by bicubic interpolation."""
    given = quantise(parse_recipe(damage.recipe).run(clean, torch.Generator().manual_seed(seed)))
    restored = restorer.restore(given, task, scale=damage.scale)
    before = resize(given, (clean.shape[2], clean.shape[3])) if damage.scale else given
    shown = [quantise(image) for image in (before, restored)]
    return [Cell(image, f"{float(psnr(image, clean)):.2f} dB") for image in shown]


def draw(rows: list[list[Cell]], titles: list[str]) -> Image.Image:
    """One row a photo, each picture above its caption."""
    sheet = Image.new("RGB", (len(titles) * (SIDE + GAP) - GAP, HEAD + len(rows) * (SIDE + FOOT)), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, title in enumerate(titles):
        x = column * (SIDE + GAP)
        pen.text((x + SIDE // 2, HEAD // 2), title, fill=INK, font=font, anchor="mm")
        for row, cells in enumerate(rows):
            image, y = cells[column].image, HEAD + row * (SIDE + FOOT)
            top, left = ((length - SIDE) // 2 for length in image.shape[2:])
            sheet.paste(picture(image[0, :, top : top + SIDE, left : left + SIDE]), (x, y))
            pen.text((x + SIDE // 2, y + SIDE + FOOT // 2), cells[column].caption, fill=QUIET, font=font, anchor="mm")
    return sheet


def sheet(photos: list[Tensor], task: str, restorer: adair.Restorer) -> Image.Image:
    """All photos under the damages of one task: before and after of each, and the photo itself."""
    rows = []
    for seed, photo in enumerate(photos):
        cells = [cell for damage in SHEETS[task] for cell in trial(photo, task, damage, restorer, seed)]
        rows.append([*cells, Cell(photo, "the photo")])
    return draw(rows, [title for damage in SHEETS[task] for title in (damage.name, "restored")] + ["original"])


def page(paths: list[Path], count: int) -> str:
    """Markdown around the sheets."""
    names = ", ".join(path.stem for path in paths)
    lines = [
        "# Before and after",
        "",
        f"What the bundled weights do, on every {EVERY}th of the {count} photos of Kodak24 in the order of their names",
        f"({names}): chosen by this rule, not by their looks. Each cell is the centre of the photo, pixel for pixel; "
        "the",
        "figure is the PSNR of the whole photo (RGB, 8 bits in and out). Damage is synthetic, seeded; small pictures",
        "are shown enlarged by bicubic interpolation. Noise and JPEG destroy fine texture first.",
        "",
        "`python tools/pictures.py KODAK24 docs` draws them again.",
    ]
    for task in SHEETS:
        lines += ["", f"## {task}", "", f"![{task}: before and after](images/pictures/{task}.webp)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the folder, draw, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kodak", type=Path, help="folder of the 24 photos")
    parser.add_argument("docs", type=Path, help="folder for pictures.md and images/pictures")
    options = parser.parse_args()
    every = sorted(path for path in options.kodak.iterdir() if path.suffix.lower() in (".png", ".webp"))
    paths = every[::EVERY]
    photos = [load(path) for path in paths]
    restorer = adair.Restorer.load()
    folder = options.docs / "images" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for task in SHEETS:
        sheet(photos, task, restorer).save(folder / f"{task}.webp", quality=88, method=6)
    (options.docs / "pictures.md").write_text(page(paths, len(every)), encoding="utf-8")


if __name__ == "__main__":
    main()
