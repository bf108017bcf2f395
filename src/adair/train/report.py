"""Reports of a run: the card of the weight file, a sheet of held-out photos, and an HTML page with both.

The page contains figures, curve and images, and needs no other file.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import adair
from adair.hardware import cpu_name
from adair.images import write_whole
from adair.metrics import psnr
from adair.pages import fill_page
from adair.train.objectives import Objective
from adair.train.photos import PhotoStore
from adair.train.selfsupervised import SelfSupervised
from adair.train.settings import RunSettings
from adair.train.state import TrainState
from adair.train.validation import mean_psnr

WIDTH, HEIGHT = 640, 180  # of the curve
ROWS = 4
SIDE = 256  # largest number of pixels of an image
GAP, TOP, FOOT = 8, 30, 24
INK, QUIET, PAPER = "#1c1d20", "#5d6068", "#fafaf8"


def training_card(settings: RunSettings, state: TrainState, photos: PhotoStore, device: torch.device) -> dict[str, Any]:
    """Return the facts of a training run as a dictionary for JSON.

    Each measured figure has its protocol: here PSNR on the centres of held-out training photos.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{cpu_name()}, {torch.get_num_threads()} threads"
    return {
        "recipe": str(settings.objective),
        "training": {
            "photos": len(photos),
            "steps": state.step,
            "batch": settings.batch,
            "patches": [list(pair) for pair in settings.patches],
            "texture": settings.texture,
            "shrink": settings.shrink,
            "optimiser": settings.optimiser,
            "learning_rate": settings.schedule.peak,
            "precision": str(settings.precision).removeprefix("torch."),
            "seed": settings.seed,
            "seconds": round(state.seconds),
            "device": name,
            "adair": adair.__version__,
            "torch": torch.__version__,
        },
        "validation": {
            "protocol": "RGB PSNR in dB, 8-bit output, centre crops of held-out photos, seed 0",
            "input": {name: round(value, 2) for name, value in state.input_psnr.items()},
            "restored": {name: round(value, 2) for name, value in state.psnr.items()},
        },
    }


def pages_of(output: Path) -> tuple[Path, Path]:
    """Return the paths of the sheet and the page of an adapter."""
    return output.with_suffix(".sheet.png"), output.with_suffix(".html")


def write_pages(
    output: Path,
    task: str,
    card: Mapping[str, Any],
    state: TrainState,
    rows: Sequence[Row],
    foundation: Path | None = None,
) -> None:
    """Write the sheet and the page next to the adapter.

    Raises:
        AdairError: one of them cannot be written.
    """
    sheet, page = pages_of(output)
    buffer = io.BytesIO()
    draw_sheet(rows).save(buffer, "PNG", optimize=True)
    write_whole(sheet, buffer.getvalue())
    write_whole(page, training_page(output.name, task, card, state, rows, foundation).encode())


def use_line(output: Path | str, task: str, scale: int = 1, foundation: Path | None = None) -> str:
    """Return the command that uses an adapter; ``foundation`` is the file that it needs, None for the bundled one."""
    options = f" --foundation {foundation}" if foundation else ""
    return f"adair restore PHOTO --adapter {output} --task {task}{f' --scale {scale}' if scale > 1 else ''}{options}"


def training_page(
    name: str,
    task: str,
    card: Mapping[str, Any],
    state: TrainState,
    rows: Sequence[Row],
    foundation: Path | None = None,
) -> str:
    """Return the HTML of a run: figures, notes, pictures, curve and facts.

    Args:
        name: name of the adapter file.
        task: what it restores.
        card: the card in the file.
        state: state of the run; its ``psnr`` are those of the file.
        rows: images of held-out photos.
        foundation: the foundation that the adapter is for; None for the bundled one.
    """
    figures = [("Input", mean_psnr(state.input_psnr)), *((k.capitalize(), v) for k, v in state.baselines.items())]
    figures.append((f"This adapter ({task})", mean_psnr(state.psnr)))
    cards = "".join(f"<div><dt>{html.escape(label)}</dt><dd>{value:.2f} dB</dd></div>" for label, value in figures)
    facts = {"learnt": card["recipe"], "weights of step": state.result_step or state.step, **card["training"]}
    return fill_page(
        "adair.train",
        task=html.escape(task),
        use=html.escape(use_line(name, task, card.get("scale", 1), foundation)),
        cards=cards,
        protocol=html.escape(card["validation"]["protocol"]),
        notes="".join(f"<li>{html.escape(line)}</li>" for line in state.warnings),
        pictures="".join(_row(row) for row in rows),
        curve=_curve(state),
        facts="".join(
            f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in facts.items()
        ),
    )


def _row(row: Row) -> str:
    figures = []
    for title, x in zip(row.titles, row.pictures, strict=True):
        buffer = io.BytesIO()
        picture(x).save(buffer, "WEBP", lossless=True)
        data = base64.b64encode(buffer.getvalue()).decode()
        text = html.escape(title)
        figures.append(
            f'<figure><img alt="{text}" src="data:image/webp;base64,{data}"><figcaption>{text}</figcaption></figure>'
        )
    return f'<div class="row">{"".join(figures)}</div>'


def _curve(state: TrainState) -> str:
    """Return the mean PSNR of every validation as an SVG line; empty if there are fewer than two."""
    points = [(step, value) for step, value in state.history if abs(value) < 1000]
    if len(points) < 2:
        return ""
    low, high = min(value for _, value in points), max(value for _, value in points)
    first, last, range_ = points[0][0], points[-1][0], max(high - low, 0.01)
    places = [
        (10 + (WIDTH - 20) * (step - first) / max(last - first, 1), HEIGHT - 24 - (HEIGHT - 48) * (v - low) / range_)
        for step, v in points
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    labels = (
        f'<text x="10" y="14">{high:.2f} dB</text><text x="10" y="{HEIGHT - 6}">{low:.2f} dB, step {first:.0f}</text>'
    )
    end = f'<text x="{WIDTH - 10}" y="{HEIGHT - 6}" text-anchor="end">step {last:.0f}</text>'
    return (
        f'<h2>Validation</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Validation PSNR over steps">'
        f'<polyline points="{line}"/>{labels}{end}</svg>'
    )


@dataclass(frozen=True)
class Row:
    """One held-out photo: titles and images, (3, side, side) in 0..1, from left to right."""

    titles: tuple[str, ...]
    pictures: tuple[Tensor, ...]


@torch.no_grad()
def sample_rows(
    held_out: PhotoStore, objective: Objective, restore: Callable[[Tensor], Tensor], device: torch.device
) -> list[Row]:
    """Restore the centres of a few held-out photos."""
    some = held_out.subset(range(min(ROWS, len(held_out))))
    centres = some.centres(min(SIDE, *(min(shape) for shape in some.shapes)))
    clean: Tensor | None = None
    degraded = centres
    if not isinstance(objective, SelfSupervised):
        clean, degraded = objective.pair(centres, torch.Generator().manual_seed(0))
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
    """Draw the rows below each other, with a title under each image."""
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
