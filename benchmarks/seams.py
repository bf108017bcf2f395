"""Do tiles leave seams? A noisy photo of 2000x1500 pixels, restored whole and in tiles, compared in 8 bits.

    python benchmarks/seams.py [--task denoise] [--foundation FILE] [--tile N] [--precision P] [--json FILE]

Wanted: a mean difference of at most 0.1 of 255 and none above 2. Needs about 3 GB of memory for the whole image in
bf16, twice that in fp32.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from adair.restore import Restorer, read_image

EXAMPLE = next((Path(__file__).resolve().parents[1] / "examples" / "photos").glob("colosseum.*"))
HEIGHT, WIDTH = 1500, 2000


def main() -> None:
    """Restore twice, print the differences, and write the JSON file if one is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photo", nargs="?", type=Path, default=EXAMPLE, help="mirrored where it is smaller")
    parser.add_argument("--task", default="denoise", help="task to restore with, or foundation")
    parser.add_argument("--foundation", type=Path, help="foundation file; default: the bundled one")
    parser.add_argument("--tile", type=int, help="side of the tiles; default: as restore chooses")
    parser.add_argument("--precision", help="fp32 or bf16; default: what adair would choose here")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()

    restorer = Restorer.load(options.foundation, precision=options.precision)
    pixels = read_image(options.photo).pixels
    missing = [(0, max(0, wanted - side)) for wanted, side in zip((HEIGHT, WIDTH), pixels.shape, strict=False)]
    clean = np.pad(pixels, [*missing, (0, 0)], mode="symmetric")[:HEIGHT, :WIDTH]
    noisy = (
        (clean.astype(np.float64) + np.random.default_rng(0).normal(0, 25, clean.shape)).clip(0, 255).astype(np.uint8)
    )

    tiles = 0

    def count(_: int, total: int) -> None:
        nonlocal tiles
        tiles = total

    whole = restorer.restore(noisy, options.task, tile=0)
    tiled = restorer.restore(noisy, options.task, tile=options.tile, progress=count)
    difference = np.abs(whole.astype(int) - tiled)
    result = {
        "task": options.task,
        "precision": restorer.precision.name,
        "tiles": tiles,
        "mean_difference": float(difference.mean()),
        "largest_difference": int(difference.max()),
        "above_2": int((difference > 2).sum()),
    }
    print(f"{options.task}, {result['precision']}, {tiles} tiles against the whole of {WIDTH}x{HEIGHT}:")
    print(f"  mean difference {result['mean_difference']:.3f} of 255, largest {result['largest_difference']}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
