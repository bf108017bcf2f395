"""Measure the bundled weights on the field's test sets: input, frozen foundation, foundation with its adapter.

    python benchmarks/quality.py --data FOLDER [--task TASK ...] [--limit N] [--json FILE]

FOLDER holds the test sets, one folder each (CBSD68, Kodak24, Set5, Set14, Rain100L/input and /target, LIVE1, ...); a
set that is not there is named and left out. Every row says how it was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

import adair
from adair.degradations import parse_recipe, resize
from adair.metrics import luma, psnr, quantise

EXTENSIONS = {".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Pair:
    """A clean image and what the restorer is given, both (1, 3, H, W); ``scale`` times smaller for sr."""

    clean: Tensor
    given: Tensor
    scale: int | None = None


@dataclass(frozen=True)
class Suite:
    """A set of images with a protocol: one row of the table for each setting."""

    task: str
    dataset: str
    setting: str
    protocol: str
    pairs: Callable[[Path], Iterator[Pair]]
    on_luma: bool = False
    published: str = ""


@dataclass(frozen=True)
class Row:
    """What came out."""

    task: str
    dataset: str
    setting: str
    protocol: str
    images: int
    input: float
    foundation: float
    adapter: float
    seconds_per_megapixel: float
    published: str


def load(path: Path) -> Tensor:
    """Read an image as (1, 3, H, W) in 0..1."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0).float() / 255


def images(folder: Path) -> list[Path]:
    """List the images of a test set, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)


def noisy(sigma: int, clipped: bool, dataset: str) -> Callable[[Path], Iterator[Pair]]:
    def pairs(data: Path) -> Iterator[Pair]:
        for path in images(data / dataset):
            clean = load(path)
            height, width = clean.shape[-2:]
            # Restormer's protocol: numpy's generator at seed 0 before every image, noise drawn as (H, W, 3).
            noise = np.random.RandomState(0).normal(0, sigma / 255, (height, width, 3))
            given = clean + torch.from_numpy(noise).permute(2, 0, 1).float()
            yield Pair(clean, quantise(given) if clipped else given)

    return pairs


def degraded(recipe: str, dataset: str) -> Callable[[Path], Iterator[Pair]]:
    def pairs(data: Path) -> Iterator[Pair]:
        for path in images(data / dataset):
            clean = load(path)
            yield Pair(clean, parse_recipe(recipe).apply(clean, torch.Generator().manual_seed(0)))

    return pairs


def small(scale: int, dataset: str) -> Callable[[Path], Iterator[Pair]]:
    def pairs(data: Path) -> Iterator[Pair]:
        folder = next(p for p in (data / f"{dataset}_matlab_bicubic").iterdir() if p.name.lower().endswith(f"x{scale}"))
        for path in images(data / dataset):
            low = load(next(p for p in folder.iterdir() if p.stem in (path.stem, f"{path.stem}x{scale}")))
            clean = load(path)[..., : low.shape[-2] * scale, : low.shape[-1] * scale]
            yield Pair(clean, low, scale)

    return pairs


def rainy(dataset: str) -> Callable[[Path], Iterator[Pair]]:
    def pairs(data: Path) -> Iterator[Pair]:
        targets = {path.stem: path for path in images(data / dataset / "target")}
        for path in images(data / dataset / "input"):
            yield Pair(load(targets[path.stem]), load(path))

    return pairs


def suites() -> Iterator[Suite]:
    """Yield every suite: the protocols in one place."""
    restormer = {
        "CBSD68": "34.34 / 31.74 / 28.56",
        "Kodak24": "35.45 / 33.04 / 30.01",
        "McMaster": "35.55 / 33.30 / 30.27",
    }
    for dataset, figures in restormer.items():
        for sigma, figure in zip((15, 25, 50), figures.split(" / "), strict=True):
            protocol = "RGB PSNR, Gaussian noise not clipped, numpy seed 0 for each image, 8-bit output"
            published = f"Restormer blind {figure}"
            yield Suite("denoise", dataset, f"sigma {sigma}", protocol, noisy(sigma, False, dataset), False, published)
        for sigma in (15, 25, 50):
            protocol = "RGB PSNR, Gaussian noise clipped to 8 bits, numpy seed 0 for each image, 8-bit output"
            yield Suite("denoise", dataset, f"sigma {sigma} clipped", protocol, noisy(sigma, True, dataset))
    swinir = {"Set5": ("38.42", "34.97", "32.92"), "Set14": ("34.46", "30.93", "29.09")}
    for dataset, numbers in swinir.items():
        for scale, figure in zip((2, 3, 4), numbers, strict=True):
            protocol = f"PSNR of MATLAB's Y, border of {scale} left out, MATLAB bicubic low resolution, 8-bit output"
            yield Suite("sr", dataset, f"x{scale}", protocol, small(scale, dataset), True, f"SwinIR {figure}")
    for sigma in (1.2, 1.6, 2.0, 3.0):
        protocol = "RGB PSNR, Gaussian kernel 25x25, reflected border, no noise, 8-bit input and output"
        yield Suite("deblur", "Kodak24", f"sigma {sigma}", protocol, degraded(f"blur(sigma={sigma})", "Kodak24"))
    protocol = "PSNR of MATLAB's Y, 8-bit output"
    yield Suite("derain", "Rain100L", "light rain", protocol, rainy("Rain100L"), True, "Restormer 39.10")
    for quality, figure in zip((10, 20, 30, 40), ("27.77", "30.11", "31.43", "32.34"), strict=True):
        protocol = "RGB PSNR, libjpeg 4:2:0, 8-bit output"
        recipe = f"jpeg(quality={quality})"
        yield Suite(
            "dejpeg", "LIVE1", f"quality {quality}", protocol, degraded(recipe, "LIVE1"), False, f"FBCNN {figure}"
        )


def measure(suite: Suite, data: Path, restorer: adair.Restorer, limit: int | None) -> Row:
    """Restore every image of a suite with and without the adapter; return the means."""
    scores: list[tuple[float, float, float]] = []
    seconds = pixels = 0.0
    for number, pair in enumerate(suite.pairs(data)):
        if number == limit:
            break
        size = pair.clean.shape[-2:]
        plain = resize(pair.given, (size[0], size[1])) if pair.scale else pair.given
        foundation = restorer.restore(plain, task="foundation")
        started = time.perf_counter()
        adapted = restorer.restore(pair.given, task=suite.task, scale=pair.scale)
        seconds += time.perf_counter() - started
        pixels += size.numel()

        def score(image: Tensor, pair: Pair = pair) -> float:
            # The unclipped input is scored as it is: its published figures are those of the unclipped noise.
            first, second = (image, pair.clean) if image is pair.given else (quantise(image), pair.clean)
            if suite.on_luma:
                first, second = luma(first), luma(second)
            return float(psnr(first, second, crop=pair.scale or 0))

        scores.append((score(plain), score(foundation), score(adapted)))
    means = [sum(column) / len(scores) for column in zip(*scores, strict=True)]
    return Row(
        suite.task,
        suite.dataset,
        suite.setting,
        suite.protocol,
        len(scores),
        *(round(mean, 3) for mean in means),
        seconds_per_megapixel=round(seconds / pixels * 1e6, 3),
        published=suite.published,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of test sets")
    parser.add_argument("--task", action="append", help="only this task; repeat for more")
    parser.add_argument("--dataset", action="append", help="only this test set; repeat for more")
    parser.add_argument("--limit", type=int, help="only the first N images of each set")
    parser.add_argument("--foundation", type=Path, help="a foundation file instead of the bundled one")
    parser.add_argument("--adapter", type=Path, action="append", default=[], help="an adapter file to add")
    parser.add_argument("--precision", help="fp32 or bf16; default: what this machine does best")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    console = Console()
    restorer = adair.Restorer.load(options.foundation, precision=options.precision)
    for path in options.adapter:
        restorer.add_adapter(path)
    rows: list[Row] = []
    missing: set[str] = set()
    chosen = [
        suite
        for suite in suites()
        if (not options.task or suite.task in options.task)
        and (not options.dataset or suite.dataset in options.dataset)
        and suite.task in restorer.tasks
    ]
    table = Table("task", "set", "setting", "images", "input", "foundation", "adapter", "s/MP", "published")
    for suite in chosen:
        if not (options.data / suite.dataset).is_dir():
            missing.add(suite.dataset)
            continue
        row = measure(suite, options.data, restorer, options.limit)
        rows.append(row)
        better = "green" if row.adapter > row.foundation else "red"
        table.add_row(
            row.task,
            row.dataset,
            row.setting,
            str(row.images),
            f"{row.input:.2f}",
            f"{row.foundation:.2f}",
            f"[{better}]{row.adapter:.2f}[/]",
            f"{row.seconds_per_megapixel:.2f}",
            row.published,
        )
        print(f"{row.dataset} {row.setting}: {row.input:.2f} {row.foundation:.2f} {row.adapter:.2f}", file=sys.stderr)
    console.print(table)
    for protocol in dict.fromkeys(f"{row.task}: {row.protocol}" for row in rows):
        console.print(protocol, highlight=False)
    if missing:
        console.print(f"not found in {options.data}: {', '.join(sorted(missing))}")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
