"""Images a second with 1 and 2 workers of a cluster, beside the plain command, and what a thousand photos cost.

    python benchmarks/cluster_speed.py [--photos 16] [--megapixels 0.3] [--json FILE]

Everything with one thread a worker, on this machine, in this order: plain, 1 worker, 2 workers, plain. The rate is the
number of workers over the median of the seconds for one photo (reading, restoring, writing), so that starting (Python,
Ray, loading the network) does not count; seconds in all are given as well. Other programs slow the machine, so costs
are worked out from the processor's time of the plain command, which depends on them less. All results have to be the
same, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "photos"
MEGAPIXELS = 12  # of the photos that costs are told for
PRICE, MACHINE, VCPUS = 0.08925, "Amazon EC2 c7i.large, on demand, us-east-1", 2


def make_photos(folder: Path, count: int, megapixels: float) -> float:
    """Write noisy JPEG photos of 4:3 and return the megapixels of one."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    size = round(height * 4 / 3), height
    sources = sorted(EXAMPLES.glob("*.webp"))
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as photo:
            pixels = np.asarray(photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)).astype(float)
        noisy = pixels + np.random.default_rng(number).normal(0, 15, pixels.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:04}.jpg", quality=95)
    return size[0] * size[1] / 1e6


def run(words: list[str], count: int, workers: int = 1) -> dict[str, Any]:
    """Run ``adair restore``, and read what it says of each photo."""
    environment = dict(os.environ) | {"OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    command = [sys.executable, "-m", "adair", "restore", *words, "--task", "denoise", "--device", "cpu", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    if [outcome["status"] for outcome in outcomes] != ["done"] * count:
        raise SystemExit(f"{command}: {outcomes}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds in all": time.monotonic() - start,
        "images per second": workers / statistics.median(outcome["seconds"] for outcome in outcomes),
        "processor seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def table(facts: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| | photos a second | seconds in all | processor's seconds |", "| --- | ---: | ---: | ---: |"]
    for label, row in facts["rows"].items():
        figures = row["images per second"], row["seconds in all"], row["processor seconds"]
        lines.append(f"| {label} | {figures[0]:.2f} | {figures[1]:.0f} | {figures[2]:.0f} |")
    return "\n".join(
        [
            *lines,
            "",
            f"{facts['photos']} photos of {facts['megapixels each']:.2f} megapixels; "
            f"all bytes the same: {'yes' if facts['same bytes'] else 'NO'}",
            f"{facts['processor seconds per megapixel']:.2f} processor's seconds for a megapixel; a thousand photos of "
            f"{MEGAPIXELS} megapixels: {facts['machine hours per thousand photos of 12 megapixels']:.2f} hours of "
            f"{facts['machine']}, {facts['dollars per thousand photos of 12 megapixels']:.2f} dollars",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--megapixels", type=float, default=0.3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="adair-cluster-speed-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        megapixels = make_photos(folder / "in", given.photos, given.megapixels)
        rows, outputs = {}, []
        for label, words in (
            ("plain", []),
            ("1 worker", ["--cluster", "ray", "--workers", "1"]),
            ("2 workers", ["--cluster", "ray", "--workers", "2"]),
            ("plain again", []),
        ):
            target = folder / label.replace(" ", "-")
            rows[label] = run([str(folder / "in"), "-o", str(target), *words], given.photos, 1 + (label == "2 workers"))
            outputs.append([path.read_bytes() for path in sorted(target.glob("*.jpg"))])
            print(f"{label}: {rows[label]['seconds in all']:.0f} s", file=sys.stderr, flush=True)
        same = all(output == outputs[0] and len(output) == given.photos for output in outputs)
        startup = folder / "one"
        startup.mkdir()
        (startup / "0.jpg").write_bytes((folder / "in" / "0000.jpg").read_bytes())
        one = run([str(startup), "-o", str(folder / "one-out")], 1)["processor seconds"]
    # The first photo and all that starting takes cancel out.
    plain = min(rows[label]["processor seconds"] for label in ("plain", "plain again"))
    per_megapixel = (plain - one) / ((given.photos - 1) * megapixels)
    hours = per_megapixel * MEGAPIXELS * 1000 / VCPUS / 3600
    facts = {
        "photos": given.photos,
        "megapixels each": megapixels,
        "rows": rows,
        "same bytes": same,
        "processor seconds per megapixel": per_megapixel,
        "machine": MACHINE,
        "machine hours per thousand photos of 12 megapixels": hours,
        "dollars per thousand photos of 12 megapixels": hours * PRICE,
    }
    print(table(facts))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=2))
    sys.exit(not same)


if __name__ == "__main__":
    main()
