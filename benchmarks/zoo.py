"""Measure the adapters of the zoo on a test set: input, foundation, best bundled adapter, and the zoo's own.

    python benchmarks/zoo.py --data FOLDER [--task NAME ...] [--limit N] [--json FILE] [--sheet FILE] [--record]

FOLDER is as for `adair bench`. Each setting is a recipe of `adair.tasks`, applied to the centres of the images with
a seed for each; RGB PSNR and SSIM of 8-bit results. Prints Markdown. --record writes the figures into the adapters'
cards; --sheet draws one image of every setting before and after.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adair import Restorer
from adair.bench.datasets import clean_images, load
from adair.degradations import parse_recipe
from adair.metrics import psnr, quantise, ssim
from adair.tasks import ZOO
from adair.train.report import Row, draw_sheet
from adair.weights import update_card

HIGH, WIDE = 256, 384  # pixels of a centre
PROTOCOL = "RGB PSNR and SSIM, centres of {wide}x{high}, seed i for image i, 8-bit input and output"
LICENCE = "Apache-2.0"


def centres(data: Path, dataset: str, limit: int | None) -> list[Tensor]:
    """Return the middle parts of the images, each (1, 3, HIGH, WIDE)."""
    parts = []
    for sample in clean_images(data, dataset).samples[:limit]:
        image = load(sample.clean)
        top, left = (image.shape[2] - HIGH) // 2, (image.shape[3] - WIDE) // 2
        parts.append(image[..., top : top + HIGH, left : left + WIDE])
    return parts


def quality(images: list[Tensor], clean: list[Tensor]) -> dict[str, float]:
    """Return the mean PSNR in dB and SSIM of images after rounding to 8 bits."""
    x, y = quantise(torch.cat(images)), torch.cat(clean)
    return {"psnr": float(psnr(x, y).mean()), "ssim": float(ssim(x, y).mean())}


def measure(restorer: Restorer, task: str, bundled: tuple[str, ...], clean: list[Tensor]) -> Iterator[dict[str, Any]]:
    """Yield one row for each setting of a task, with the images of the first one under "pictures"."""
    for name, recipe in ZOO[task].validation.items():
        degrade = parse_recipe(recipe)
        given = [quantise(degrade.run(x, torch.Generator().manual_seed(i))) for i, x in enumerate(clean)]
        results = {way: [restorer.restore(x, way, scale=1) for x in given] for way in ("foundation", *bundled, task)}
        scores = {way: quality(images, clean) for way, images in results.items()}
        best = max(bundled, key=lambda way: scores[way]["psnr"])
        yield {
            "task": task,
            "setting": name,
            "recipe": recipe,
            "images": len(clean),
            "input": quality(given, clean),
            "foundation": scores["foundation"],
            "best bundled": {"task": best, **scores[best]},
            "adapter": scores[task],
            "pictures": [given, results[best], results[task], clean],
        }


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table, PSNR / SSIM in every cell."""

    def cell(score: dict[str, Any]) -> str:
        return f"{score['psnr']:.2f} / {score['ssim']:.3f}" + (f" ({score['task']})" if "task" in score else "")

    lines = [
        "| Task | Setting | Input | Foundation | Best bundled | Adapter |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        figures = " | ".join(cell(row[way]) for way in ("input", "foundation", "best bundled", "adapter"))
        lines.append(f"| {row['task']} | {row['setting']} | {figures} |")
    return "\n".join(lines)


def sheet_row(row: dict[str, Any], index: int) -> Row:
    """Return one image of a setting: degraded, by the best bundled adapter, by the zoo's, clean."""
    pictures = [images[index % len(images)][..., :HIGH] for images in row["pictures"]]
    names = (f"{row['task']}: {row['setting']}", row["best bundled"]["task"], row["task"])
    values = [float(psnr(quantise(x), pictures[-1])) for x in pictures[:-1]]
    titles = [f"{name}, {value:.1f} dB" for name, value in zip(names, values, strict=True)]
    return Row((*titles, "clean"), tuple(x[0] for x in pictures))


def record(path: Path, rows: list[dict[str, Any]], dataset: str, protocol: str) -> None:
    """Write figures into the card of an adapter."""
    columns = ("input", "foundation", "adapter")
    measured = [
        {"task": row["task"], "dataset": dataset, "setting": row["setting"], "images": row["images"]}
        | {"protocol": f"{protocol}; {row['recipe']}", **{name: round(row[name]["psnr"], 2) for name in columns}}
        for row in rows
    ]
    update_card(path, licence=LICENCE, measured=measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of test sets")
    parser.add_argument("--dataset", default="Kodak24")
    parser.add_argument("--zoo", type=Path, default=Path("zoo"), help="folder of the adapters")
    parser.add_argument("--task", action="append", help="only this task; repeat for more")
    parser.add_argument("--limit", type=int, help="only the first N images")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--sheet", type=Path, help="draw one image of every setting into this file")
    parser.add_argument("--record", action="store_true", help="write the figures into the adapters' cards")
    options = parser.parse_args()
    restorer = Restorer.load()
    bundled = restorer.tasks
    clean = centres(options.data, options.dataset, options.limit)
    protocol = PROTOCOL.format(wide=WIDE, high=HIGH)
    rows: list[dict[str, Any]] = []
    pictures: list[Any] = []
    for task in options.task or ZOO:
        path = options.zoo / f"{task}.safetensors"
        restorer.add_adapter(path, replace=True)
        own = []
        for row in measure(restorer, task, bundled, clean):
            pictures.append(sheet_row(row, len(pictures)))
            own.append({key: value for key, value in row.items() if key != "pictures"})
            print(json.dumps(own[-1]), file=sys.stderr)
        if options.record:
            record(path, own, options.dataset, protocol)
        rows += own
    print(markdown(rows))
    print(f"\n{options.dataset}, {len(clean)} images; {protocol}.")
    if options.json:
        options.json.write_text(
            json.dumps({"dataset": options.dataset, "protocol": protocol, "rows": rows}, indent=1) + "\n"
        )
    if options.sheet:
        draw_sheet(pictures).save(options.sheet)


if __name__ == "__main__":
    main()
