"""The sheet: held-out photos before and after an adapter, and the clean ones where there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from adair.metrics import psnr
from adair.train.lessons import Lesson
from adair.train.photos import PhotoStore
from adair.train.selfsupervised import Neighbours

ROWS = 4
SIDE = 256  # pixels of a picture, at most
GAP, TOP, FOOT = 8, 30, 24
INK, QUIET, PAPER = "#1c1d20", "#5d6068", "#fafaf8"


@dataclass(frozen=True)
class Row:
    """One held-out photo: what to call its pictures and the pictures, (3, side, side) in 0..1, in reading order."""

    titles: tuple[str, ...]
    pictures: tuple[Tensor, ...]


@torch.no_grad()
def sample_rows(
    held_out: PhotoStore, lesson: Lesson, restore: Callable[[Tensor], Tensor], device: torch.device
) -> list[Row]:
    """Restore the centres of a few held-out photos."""
    some = held_out.subset(range(min(ROWS, len(held_out))))
    centres = some.centres(min(SIDE, *(min(shape) for shape in some.shapes)))
    clean: Tensor | None = None
    degraded = centres
    if not isinstance(lesson, Neighbours):
        clean, degraded = lesson.pair(centres, torch.Generator().manual_seed(0))
    rows = []
    for index in range(len(some)):
        before = degraded[index : index + 1]
        after = restore(before.to(device)).clamp(0, 1).cpu()
        pictures, titles = [before.clamp(0, 1), after], ["before", "after"]
        if clean is not None:
            target = clean[index : index + 1]
            titles = [f"{title} ({float(psnr(x, target)):.1f} dB)" for title, x in zip(titles, pictures, strict=True)]
            pictures, titles = [*pictures, target], [*titles, "clean"]
        rows.append(Row(tuple(titles), tuple(picture[0] for picture in pictures)))
    return rows


def picture(x: Tensor) -> Image.Image:
    """Return (3, H, W) in 0..1 as an 8-bit image."""
    return Image.fromarray(x.mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy())


def draw_sheet(rows: Sequence[Row]) -> Image.Image:
    """Draw the rows below each other, each picture above its title."""
    side = rows[0].pictures[0].shape[-1]
    columns = len(rows[0].pictures)
    width = max(2 * GAP + columns * (side + GAP) - GAP, 320)
    sheet = Image.new("RGB", (width, GAP + len(rows) * (side + FOOT + GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for index, row in enumerate(rows):
        top = GAP + index * (side + FOOT + GAP)
        for column, (title, x) in enumerate(zip(row.titles, row.pictures, strict=True)):
            left = GAP + column * (side + GAP)
            sheet.paste(picture(x), (left, top))
            draw.text((left, top + side + 4), title, fill=INK if column == 1 else QUIET, font=font)
    return sheet
