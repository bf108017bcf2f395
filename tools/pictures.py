"""Draw docs/pictures.md: what the bundled weights do to photos that were not chosen for it.

    python tools/pictures.py KODAK24 docs

The photos are every eighth of the folder in the order of their names, and what is shown is the middle of each.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import adair
from adair.degradations import resize, shrink
from adair.metrics import psnr

EVERY = 8
SIDE, GAP, HEAD, FOOT = 224, 6, 26, 22
INK, QUIET, PAPER = "#1b1f24", "#59636e", "#ffffff"


@dataclass(frozen=True)
class Damage:
    """One way to damage a photo, and what is asked of the restorer: its task, and the factor of an enlargement."""

    name: str
    task: str
    recipe: str = ""
    scale: int | None = None


SHEETS = {
    "denoise": (
        Damage("noise, sigma 25", "denoise", "noise(sigma=25)"),
        Damage("noise, sigma 50", "denoise", "noise(sigma=50)"),
    ),
    "sr": (Damage("a half of the size", "sr", scale=2), Damage("a quarter of the size", "sr", scale=4)),
    "deblur": (
        Damage("blur, sigma 1.6", "deblur", "blur(sigma=1.6)"),
        Damage("blur, sigma 3", "deblur", "blur(sigma=3)"),
    ),
    "derain": (
        Damage("light rain", "derain", "rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0)"),
        Damage("heavy rain", "derain", "rain()"),
    ),
    "dejpeg": (
        Damage("JPEG, quality 30", "dejpeg", "jpeg(quality=30)"),
        Damage("JPEG, quality 10", "dejpeg", "jpeg(quality=10)"),
    ),
}


@dataclass(frozen=True)
class Picture:
    """One cell of a sheet: the middle of an image, and what is written below."""

    image: Image.Image
    caption: str


def tensor(image: Image.Image) -> torch.Tensor:
    """RGB image as (1, 3, H, W) in 0..1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0).float() / 255


def picture(x: torch.Tensor) -> Image.Image:
    """(1, 3, H, W) in 0..1 as an image of 8 bits."""
    return Image.fromarray(x[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy())


def trial(photo: Image.Image, damage: Damage, restorer: adair.Restorer, seed: int) -> tuple[Picture, Picture]:
    """Damage and restore one photo; a small image is shown enlarged by bicubic interpolation, beside ours."""
    clean = tensor(photo)
    if damage.scale:
        small = picture(shrink(clean, damage.scale))
        restored = restorer.restore(small, task=damage.task, scale=damage.scale)
        before = picture(resize(tensor(small), (photo.height, photo.width)))
    else:
        before = adair.degrade(photo, damage.recipe, seed=seed)
        restored = restorer.restore(before, task=damage.task)
    return tuple(  # type: ignore[return-value]
        Picture(image, f"{float(psnr(tensor(image), clean)):.2f} dB") for image in (before, restored)
    )


def draw(rows: list[list[Picture]], titles: list[str]) -> Image.Image:
    """One row a photo, each picture above its caption."""
    sheet = Image.new("RGB", (len(titles) * (SIDE + GAP) - GAP, HEAD + len(rows) * (SIDE + FOOT)), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, title in enumerate(titles):
        x = column * (SIDE + GAP)
        pen.text((x + SIDE // 2, HEAD // 2), title, fill=INK, font=font, anchor="mm")
        for row, cells in enumerate(rows):
            image, y = cells[column].image, HEAD + row * (SIDE + FOOT)
            left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
            sheet.paste(image.crop((left, top, left + SIDE, top + SIDE)), (x, y))
            pen.text((x + SIDE // 2, y + SIDE + FOOT // 2), cells[column].caption, fill=QUIET, font=font, anchor="mm")
    return sheet


def sheet(photos: list[Image.Image], pair: tuple[Damage, Damage], restorer: adair.Restorer) -> Image.Image:
    """All photos under two damages of one task: before and after of both, and the photo itself."""
    rows = []
    for seed, photo in enumerate(photos):
        cells = [cell for damage in pair for cell in trial(photo, damage, restorer, seed)]
        rows.append([*cells, Picture(photo, "the photo")])
    return draw(rows, [title for damage in pair for title in (damage.name, "restored")] + ["original"])


def page(paths: list[Path], count: int) -> str:
    """Markdown around the sheets."""
    names = ", ".join(path.stem for path in paths)
    lines = [
        "# Before and after",
        "",
        f"What the bundled weights do, on every {EVERY}th of the {count} photos of Kodak24 in the order of their names",
        f"({names}): chosen by this rule, not by beauty. Each cell is the middle of the photo, pixel for pixel; the",
        "figure is the PSNR of the whole photo (RGB, 8 bits in and out). Damage is synthetic, seeded; small pictures",
        "are shown enlarged by bicubic interpolation. What is lost first is fine texture, to noise and to JPEG.",
        "",
        "Draw them again with `python tools/pictures.py KODAK24 docs`.",
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
    photos = [Image.open(path).convert("RGB") for path in paths]
    restorer = adair.Restorer.load()
    folder = options.docs / "images" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for task, pair in SHEETS.items():
        sheet(photos, pair, restorer).save(folder / f"{task}.webp", quality=88, method=6)
    (options.docs / "pictures.md").write_text(page(paths, len(every)), encoding="utf-8")


if __name__ == "__main__":
    main()
