"""Measure what strengths, sequences and merged files do: the figures of docs/blending.md.

    python benchmarks/blending.py [--precision fp32]

Nine parts of 192x192 pixels (the middle and two corners of each photo in examples/photos), bundled weights, mean RGB
PSNR of 8-bit inputs and results. Prints Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adair import Restorer
from adair.adapters import load_adapter, save_adapter
from adair.adapters.adapter import Combined
from adair.adapters.merging import merge_files
from adair.degradations import parse_recipe
from adair.metrics import psnr, quantise
from adair.weights import bundled_adapters

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SIDE = 192
"""Pixels of a part."""
TWO_KINDS = {
    "blur(sigma=1.5) > noise(sigma=10)": ("denoise", "deblur"),
    "noise(sigma=15) > jpeg(quality=30)": ("dejpeg", "denoise"),
}
"""Recipes, and the tasks that undo them, the last damage first."""
EXACT = 24
"""Rank at which a merge of two bundled adapters, of rank 12 each, loses nothing."""


def parts() -> Tensor:
    """The parts of the photos, (9, 3, SIDE, SIDE)."""
    found = []
    for path in sorted(PHOTOS.glob("*.webp")):
        with Image.open(path) as image:
            pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
        bottom, right = (side - SIDE for side in pixels.shape[1:])
        for top, left in ((bottom // 2, right // 2), (0, 0), (bottom, right)):
            found.append(pixels[:, top : top + SIDE, left : left + SIDE])
    return torch.stack(found).float() / 255


def damaged(clean: Tensor, recipe: str) -> Tensor:
    return quantise(parse_recipe(recipe).run(clean, torch.Generator().manual_seed(0)))


def added(restorer: Restorer, combined: Combined, path: Path) -> str:
    """Write an adapter, give it to the restorer, and return the name of its task, that of the file."""
    mark = restorer.foundation.fingerprint
    save_adapter(path, combined.adapter, foundation_fingerprint=mark, task=path.stem)
    return restorer.add_adapter(path, replace=True)


def refused(restorer: Restorer, strengths: Mapping[str, float]) -> str:
    """Add a blend of bundled adapters, at strengths that the restorer refuses; return the name of its task."""
    model = restorer.foundation.model
    loaded = {task: load_adapter(bundled_adapters()[task], restorer.foundation).adapter for task in strengths}
    first = next(iter(loaded.values()))
    parts = [(loaded[task], strength) for task, strength in strengths.items()]
    combined = type(first).combine(parts, model, lambda options: True)  # exact, whatever its size
    assert combined is not None
    name = "-".join(f"{task}-{round(100 * strength)}" for task, strength in strengths.items())
    with tempfile.TemporaryDirectory() as folder:
        return added(restorer, combined, Path(folder) / f"{name}.safetensors")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("|", " | ".join(columns), "|")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("|", " | ".join(row), "|")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--precision", default="fp32")
    restorer = Restorer.load(precision=parser.parse_args().precision)
    clean = parts()

    def quality(image: Tensor, reference: Tensor = clean) -> str:
        return f"{float(psnr(quantise(image), reference).mean()):.2f}"

    print("Strength of `denoise` in the blend, and `--ensemble` at strength 1:\n")
    rows, beyond = [], {strength: refused(restorer, {"denoise": strength}) for strength in (1.5, 2.0)}
    for sigma in (15, 50):
        given = damaged(clean, f"noise(sigma={sigma})")
        ways: list[Callable[[], Tensor]] = [
            partial(quantise, given),
            *(partial(restorer.restore, given, {"denoise": s}) for s in (0.0, 0.5, 1.0)),
            *(partial(restorer.restore, given, task) for task in beyond.values()),
            partial(restorer.restore, given, "denoise", ensemble=True),
        ]
        rows.append([f"sigma {sigma}", *(quality(way()) for way in ways)])
    columns = ("input", "0 (foundation)", "0.5", "1", *(f"{strength:g} (refused)" for strength in beyond))
    print_table(("noise (clipped)", *columns, "1 with `--ensemble`"), rows)

    print("Two kinds of damage at once:\n")
    treated = {}
    for recipe, (last, early) in TWO_KINDS.items():
        given = damaged(clean, recipe)
        tasks: dict[str, str | dict[str, float]] = {
            f"`{last}` alone": last,
            f"`{early}` alone": early,
            "blend, both at 0.5": {last: 0.5, early: 0.5},
            "blend, both at 1 (refused)": refused(restorer, {last: 1.0, early: 1.0}),
            "the last damage first": f"{last} > {early}",
            "the other way round": f"{early} > {last}",
            "`foundation`": "foundation",
            "`auto`": "auto",
        }
        treated[recipe] = {"input": quality(given)} | {
            name: quality(restorer.restore(given, task)) for name, task in tasks.items()
        }
    names = list(dict.fromkeys(name for column in treated.values() for name in column))
    print_table(("", *treated), [[name, *(column.get(name, "") for column in treated.values())] for name in names])

    print("`denoise` and `dejpeg` merged with weights 0.7 and 0.3, on noise of sigma 25 (clipped):\n")
    given = damaged(clean, "noise(sigma=25)")
    blend = restorer.restore(given, {"denoise": 0.7, "dejpeg": 0.3})
    files = [bundled_adapters()[name] for name in ("denoise", "dejpeg")]
    with tempfile.TemporaryDirectory() as folder:
        rows = [["the blend itself, not merged", "", "", "", "", quality(blend)]]
        for name, rank in ((f"`--rank {EXACT}`", EXACT), ("default, within 1.9 MB", None)):
            merged = merge_files(files, [0.7, 0.3], restorer.foundation, rank)
            path = Path(folder) / "merged.safetensors"
            result = restorer.restore(given, added(restorer, merged.combined, path))
            facts = merged.card["merged"]
            size = f"{path.stat().st_size / 1e6:.2f} MB"
            near = f"{quality(result, quantise(blend))} ({round(255 * float((result - blend).abs().max()))} of 255)"
            rows.append([name, str(facts["rank"]), f"{facts['relative_error']:.3f}", size, near, quality(result)])
    print_table(("merged file", "rank", "relative error", "size", "PSNR to the blend", "PSNR to the clean photo"), rows)


if __name__ == "__main__":
    main()
