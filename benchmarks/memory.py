"""Peak memory and time of `adair restore` on large photos, from file to file, in processes of their own.

    python benchmarks/memory.py [--megapixels 24 --megapixels 100] [--suffix .jpg | .tif] [--task denoise] [--json FILE]

The photo is made of an example photo, mirrored to the wanted size, with noise of sigma 25. Tiles are as small as on a
machine with less than 8 GiB of free memory; with more they are larger, up to 3.6 GiB each, and restoring is faster.
Peak memory is what the system says of the process: Python, PyTorch, the network, decoding and encoding, all of it. Exit
code 1 if a size takes more than `LIMITS` allow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LIMITS = {24.0: 1.9, 100.0: 2.5, 400.0: 2.0}  # megapixels, and the most memory that they may take, in GB (10^9 bytes)
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
LEAN = (
    "import sys; from adair.restore import pipeline; pipeline.LARGEST_BUDGET = pipeline.LEAST_BUDGET; "
    "from adair.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True)
class Row:
    """What one size took."""

    megapixels: float
    peak_gb: float
    limit_gb: float | None
    seconds: float

    @property
    def fine(self) -> bool:
        return self.limit_gb is None or self.peak_gb <= self.limit_gb


def write_photo(path: Path, megapixels: float) -> None:
    """In a process of its own, so that this one stays small."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from restore_speed import photo; "
        f"from adair.images import write_image; write_image({str(path)!r}, photo({megapixels}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def measure(megapixels: float, suffix: str, task: str, folder: Path) -> Row:
    source, target = folder / f"in{suffix}", folder / f"out{suffix}"
    write_photo(source, megapixels)
    words = [sys.executable, "-c", LEAN, "restore", str(source), "-o", str(target), "--task", task]
    start = time.monotonic()
    process = subprocess.Popen([*words, "--device", "cpu", "--overwrite"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words}: exit code {process.returncode}")
    peak = usage.ru_maxrss * MAXRSS_BYTES / 1e9
    return Row(megapixels, round(peak, 3), LIMITS.get(megapixels), round(time.monotonic() - start, 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megapixels", type=float, action="append")
    parser.add_argument("--suffix", default=".jpg")
    parser.add_argument("--task", default="denoise")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print("| megapixels | peak memory, GB | at most | seconds |\n| ---: | ---: | ---: | ---: |", flush=True)
    with tempfile.TemporaryDirectory(prefix="adair-memory-") as name:
        for megapixels in given.megapixels or [24.0, 100.0]:
            row = measure(megapixels, given.suffix, given.task, Path(name))
            rows.append(row)
            limit = "-" if row.limit_gb is None else f"{row.limit_gb:g}"
            print(f"| {row.megapixels:g} | {row.peak_gb:.2f} | {limit} | {row.seconds:.0f} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    return int(not all(row.fine for row in rows))


if __name__ == "__main__":
    sys.exit(main())
