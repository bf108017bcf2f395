"""How fast and how lean restoring is: time per megapixel and peak memory, beside a Restormer of 26.1 M parameters.

    python benchmarks/restore_speed.py [--json FILE] [--megapixels 24] [--task denoise] [--no-restormer]
    python benchmarks/restore_speed.py --megapixels 6 --budget 1 2 4      # what memory for tiles buys

Every measurement runs in a process of its own, whose peak memory (Python, torch and the photo included) is reported.
The photo is made of the example photos, mirrored to the wanted size, with noise of sigma 25. `restore` is timed as a
user calls it, from 8-bit pixels to 8-bit pixels; the Restormer is timed in float32, as its authors run it, but with
the same allocator, on a part of the photo of 256x256 pixels.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "photos"
PATCH = 256


def photo(megapixels: float) -> Any:
    """Noisy photo-like (H, W, 3) uint8 array in the proportions 4:3, made line by line to stay small."""
    import numpy as np

    from adair.restore import read_image

    tile = np.asarray(read_image(next(EXAMPLES.glob("kitten.*"))).pixels)
    tile = np.concatenate([tile, tile[::-1]])
    tile = np.concatenate([tile, tile[:, ::-1]], 1)
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    width = round(megapixels * 1e6 / height)
    columns = np.arange(width) % tile.shape[1]
    generator = np.random.default_rng(0)
    result = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        line = tile[row % len(tile), columns] + generator.normal(0, 25, (width, 3))
        result[row] = line.clip(0, 255)
    return result


def measure_ours(task: str, megapixels: float, precision: str | None, budget: float | None) -> dict[str, Any]:
    """Time `Restorer.restore` on the CPU; with the bundled weights, or random ones of the same shape.

    ``budget`` is the memory of a tile in GiB; None for what adair would choose here.
    """
    import torch

    from adair.errors import AdairError
    from adair.restore import RestoreOptions, Restorer

    try:
        restorer, weights = Restorer.load(device="cpu", precision=precision), "bundled"
        restorer.check(RestoreOptions(task))
    except AdairError:
        restorer, weights = random_restorer(precision), "random"
        task = "foundation"
    if budget is not None:
        restorer._pipeline.budget = int(budget * 2**30)
    image = photo(megapixels)
    height, width = image.shape[:2]
    if megapixels <= 4:
        restorer.restore(image, task)  # the first run also prepares the convolutions
    seconds = min(timed(lambda: restorer.restore(image, task)) for _ in range(3 if megapixels <= 4 else 1))
    return {
        "seconds_per_megapixel": seconds / (image.shape[0] * image.shape[1] / 1e6),
        "work": work(height, width, restorer._pipeline.tile_sizes(height, width, None)[0]),
        "budget_gib": restorer._pipeline.budget / 2**30,
        "peak_mb": peak_mb(),
        "megapixels": image.shape[0] * image.shape[1] / 1e6,
        "precision": restorer.precision.name,
        "threads": torch.get_num_threads(),
        "weights": weights,
        "task": task,
    }


def work(height: int, width: int, tile: tuple[int, int]) -> float:
    """Pixels that go through the network for every pixel of the photo."""
    from adair.restore.tiling import overlap_of, split

    lengths = [
        sum(stop - start for start, stop in split(side, part, overlap_of(part)))
        for side, part in ((height, tile[0]), (width, tile[1]))
    ]
    return math.prod(lengths) / (height * width)


def random_restorer(precision: str | None) -> Any:
    """A restorer with the default backbone and random weights."""
    from adair.backbones import build_backbone
    from adair.restore import Restorer
    from adair.weights import save_foundation

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.safetensors"
        save_foundation(path, "nafnet", {}, build_backbone("nafnet").state_dict())
        return Restorer.load(path, device="cpu", precision=precision)


def measure_restormer() -> dict[str, Any]:
    """Time a Restormer of the published shape with random weights in float32."""
    import torch

    from adair.backbones import build_backbone
    from adair.hardware import tune_allocator

    tune_allocator()
    model = build_backbone("restormer").eval()
    x = torch.rand(1, 3, PATCH, PATCH)
    with torch.inference_mode():
        seconds = min(timed(lambda: model(x)) for _ in range(3))
    return {
        "restormer_seconds_per_megapixel": seconds / (PATCH * PATCH / 1e6),
        "restormer_peak_mb": peak_mb(),
        "restormer_parameters": sum(value.numel() for value in model.parameters()),
    }


def timed(run: Any) -> float:
    """Seconds that ``run()`` takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def peak_mb() -> float:
    """Largest resident size of this process so far, in megabytes (2^20 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def in_a_process(*words: str) -> dict[str, Any]:
    """Run this file with ``words`` in a process of its own and return what it measured."""
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Measure, print, and write the JSON file if one is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--megapixels", type=float, default=1.0, help="size of the photo")
    parser.add_argument("--task", default="denoise", help="task to restore with")
    parser.add_argument("--precision", help="fp32 or bf16; default: what adair would choose here")
    parser.add_argument("--budget", type=float, nargs="+", help="GiB for a tile; measures each, nothing else")
    parser.add_argument("--no-restormer", action="store_true", help="leave the comparison out")
    parser.add_argument("--measure", choices=["ours", "restormer"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure == "ours":
        print(
            json.dumps(measure_ours(options.task, options.megapixels, options.precision, *(options.budget or [None])))
        )
        return
    if options.measure == "restormer":
        print(json.dumps(measure_restormer()))
        return

    words = ["--measure", "ours", "--task", options.task, "--megapixels", str(options.megapixels)]
    words += ["--precision", options.precision] if options.precision else []
    if options.budget:
        rows = [in_a_process(*words, "--budget", str(budget)) for budget in options.budget]
        for row in rows:
            print(
                f"{row['budget_gib']:g} GiB: {row['seconds_per_megapixel']:.3f} s a megapixel, "
                f"{row['work']:.2f} times the work, peak {row['peak_mb']:.0f} MB"
            )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
        return
    result = in_a_process(*words)
    print(f"{result['task']} ({result['weights']} weights), {result['precision']}, {result['threads']} threads")
    print(f"  {result['megapixels']:.1f} megapixels: {result['seconds_per_megapixel']:.2f} s a megapixel")
    print(f"  peak memory {result['peak_mb']:.0f} MB")
    if not options.no_restormer:
        result |= in_a_process("--measure", "restormer")
        times = result["restormer_seconds_per_megapixel"] / result["seconds_per_megapixel"]
        print(f"Restormer (26.1 M parameters), fp32: {result['restormer_seconds_per_megapixel']:.1f} s a megapixel")
        print(f"  {times:.0f} times as long")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
