"""Write what ``benchmarks/quality.py --json FILE`` measured into the bundled files and print the README's table.

    python tools/record_figures.py FILE

Weights and fingerprints stay as they are, bit for bit.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from adair.weights import bundled_adapters, bundled_foundation, load_foundation, read_header, write_safetensors

LICENCE = "Apache-2.0"


def record(path: Path, **facts: Any) -> None:
    """Add ``facts`` to the card of a weight file."""
    metadata = dict(read_header(path).metadata)
    metadata["card"] = {**metadata.get("card", {}), **facts}
    write_safetensors(path, load_file(path), metadata)


def main() -> None:
    """Read the rows, write the cards, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    rows = json.loads(parser.parse_args().rows.read_text(encoding="utf-8"))

    before = load_foundation().fingerprint
    record(bundled_foundation(), licence=LICENCE)
    for task, path in bundled_adapters().items():
        record(path, licence=LICENCE, measured=[row for row in rows if row["task"] == task])
    assert load_foundation().fingerprint == before

    print("| Task | Images | Setting | Input | Foundation | Adapter | Published |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- |")
    for row in rows:
        figures = " | ".join(f"{row[column]:.2f}" for column in ("input", "foundation", "adapter"))
        print(f"| {row['task']} | {row['dataset']} | {row['setting']} | {figures} | {row['published'] or '-'} |")
    print()
    for protocol in dict.fromkeys(f"{row['task']}: {row['protocol']}" for row in rows):
        print(f"- {protocol}.")


if __name__ == "__main__":
    main()
