"""The page about a run: one HTML file with its figures, its curve and its pictures, that needs nothing else."""

from __future__ import annotations

import base64
import contextlib
import html
import io
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adair.errors import AdairError
from adair.pages import fill_page
from adair.train.early import mean
from adair.train.plan import Report
from adair.train.sheet import Row, draw_sheet, picture

WIDTH, HEIGHT = 640, 180  # of the curve


def pages_of(output: Path) -> tuple[Path, Path]:
    """Return where the sheet and the page of an adapter lie."""
    return output.with_suffix(".sheet.png"), output.with_suffix(".html")


def write_pages(output: Path, task: str, card: Mapping[str, Any], report: Report, rows: Sequence[Row]) -> None:
    """Write the sheet and the page beside the adapter.

    Raises:
        AdairError: if one cannot be written.
    """
    sheet, page = pages_of(output)
    buffer = io.BytesIO()
    draw_sheet(rows).save(buffer, "PNG", optimize=True)
    _write(sheet, buffer.getvalue())
    _write(page, training_page(output.name, task, card, report, rows).encode())


def use_line(output: Path | str, task: str, scale: int = 1) -> str:
    """Return the command that uses an adapter."""
    return f"adair restore PHOTO --adapter {output} --task {task}" + (f" --scale {scale}" if scale > 1 else "")


def training_page(name: str, task: str, card: Mapping[str, Any], report: Report, rows: Sequence[Row]) -> str:
    """Return the HTML of a run: figures, notes, pictures, curve and facts.

    Args:
        name: of the adapter file.
        task: what it restores.
        card: as the file holds it.
        report: of the run; its ``psnr`` are those of the file.
        rows: pictures of held-out photos.
    """
    figures = [("Input", mean(report.input_psnr)), *((k.capitalize(), v) for k, v in report.beside.items())]
    figures.append((f"This adapter ({task})", mean(report.psnr)))
    cards = "".join(f"<div><dt>{html.escape(label)}</dt><dd>{value:.2f} dB</dd></div>" for label, value in figures)
    facts = {"learnt": card["recipe"], "best weights from step": report.best_step or report.step, **card["training"]}
    return fill_page(
        "adair.train",
        task=html.escape(task),
        use=html.escape(use_line(name, task, card.get("scale", 1))),
        cards=cards,
        protocol=html.escape(card["validation"]["protocol"]),
        notes="".join(f"<li>{html.escape(line)}</li>" for line in report.warnings),
        pictures="".join(_row(row) for row in rows),
        curve=_curve(report),
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


def _curve(report: Report) -> str:
    """The mean PSNR of every validation as an SVG line; nothing where there are not two."""
    points = [(step, value) for step, value in report.history if abs(value) < 1000]
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


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name(f".{path.name}-{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise AdairError(f"{path}: cannot be written ({error}); the adapter itself is written") from error
