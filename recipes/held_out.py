"""PSNR of foundation files on held-out photos, setting by setting, as in the tables of docs/training-log.md.

    python recipes/held_out.py PHOTOS --cache RUN/cache --exclude STEM ... FOUNDATION.safetensors [...]

The photos are the twelve that training with the same PHOTOS and --exclude holds out, their centres of 128x128; networks
run as they are, in the precision that this processor trains in.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from adair.hardware import choose_device, choose_precision
from adair.tasks import MIX_VALIDATION
from adair.train.photos import open_store
from adair.train.validation import HELD_OUT_PHOTOS, evaluate, make_validation_sets, mean_psnr
from adair.weights import load_foundation

SETTINGS = {
    "noise 15": "noise(sigma=15, clip=false)",
    "noise 50": "noise(sigma=50, clip=false)",
    "x4": "resize(scale=4)",
    "blur 1.2": "blur(sigma=1.2)",
    **MIX_VALIDATION,
}


def main() -> None:
    """Print a table: one row for each file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("foundation", type=Path, nargs="+")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--exclude", action="append", default=[])
    options = parser.parse_args()
    _, held_out = open_store(options.photos, options.cache, options.exclude).split(HELD_OUT_PHOTOS)
    sets = make_validation_sets(held_out, SETTINGS, torch.device("cpu"))
    dtype = choose_precision(None, choose_device("cpu")).dtype
    print("| |", " | ".join(SETTINGS), "| mean |")
    print("|---|", "|".join("---:" for _ in SETTINGS), "|---:|", sep="")
    for path in options.foundation:
        model = load_foundation(path).model.eval()
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            figures, _ = evaluate(sets, lambda tiles, model=model: model(tiles).float())  # type: ignore[misc]
        cells = [f"{figures[name]:.2f}" for name in SETTINGS]
        print(f"| {path.name} |", " | ".join(cells), f"| {mean_psnr(figures):.3f} |", flush=True)


if __name__ == "__main__":
    main()
