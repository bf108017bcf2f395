"""Draw pairs of pictures, damaged above restored, as one labelled sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

TILE = (320, 214)
GAP = 8
LEFT, TOP = 44, 40
INK, QUIET, PAPER = "#1b1f24", "#59636e", "#ffffff"


@dataclass(frozen=True)
class Pair:
    """One column of the sheet: a task, its two pictures of equal size, and their PSNR in dB."""

    task: str
    before: Image.Image
    after: Image.Image
    before_psnr: float
    after_psnr: float


def centre(picture: Image.Image) -> Image.Image:
    """The middle of a picture at its own pixels, so that what is seen is what was computed."""
    left, top = (picture.width - TILE[0]) // 2, (picture.height - TILE[1]) // 2
    return picture.crop((left, top, left + TILE[0], top + TILE[1]))


def draw_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """One column a pair: the task's name, the damaged picture, the restored one, and both figures."""
    width = LEFT + len(pairs) * (TILE[0] + GAP)
    sheet = Image.new("RGB", (width, TOP + 2 * (TILE[1] + GAP) + 34), PAPER)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(26), ImageFont.load_default(22)
    for column, pair in enumerate(pairs):
        x = LEFT + column * (TILE[0] + GAP)
        middle = x + TILE[0] // 2
        draw.text((middle, TOP // 2), pair.task, fill=INK, font=large, anchor="mm")
        for row, picture in enumerate((pair.before, pair.after)):
            sheet.paste(centre(picture), (x, TOP + row * (TILE[1] + GAP)))
        figures = f"{pair.before_psnr:.1f} to {pair.after_psnr:.1f} dB"
        draw.text((middle, sheet.height - 18), figures, fill=QUIET, font=small, anchor="mm")
    for row, word in enumerate(("before", "after")):
        label = Image.new("RGB", (TILE[1], LEFT - GAP), PAPER)
        ImageDraw.Draw(label).text((TILE[1] // 2, (LEFT - GAP) // 2), word, fill=INK, font=large, anchor="mm")
        sheet.paste(label.rotate(90, expand=True), (0, TOP + row * (TILE[1] + GAP)))
    return sheet
