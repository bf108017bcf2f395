"""Write what ``adair bench --json FILE`` measured into the bundled files and print the README's table.

    python tools/record_figures.py FILE

Only rows of complete test sets count; the cards of adapters without any are not changed. Weights and fingerprints stay
bit-identical.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adair.bench.rows import Row, read_rows
from adair.bench.suites import SUITES
from adair.weights import bundled_adapters, bundled_foundation, load_foundation, update_card

LICENCE = "Apache-2.0"
COLUMNS = {"input": "input", "bicubic": "input", "foundation": "foundation", "foundation + adapter": "adapter"}
# The README's last column: the first of these that has a row.
REFERENCES = ("Restormer (blind)", "Restormer (trained on Rain13K)", "SwinIR", "FBCNN")
MADE_FOR = {  # the adapter in a setting's row "foundation + adapter"
    (setting.suite, setting.dataset, setting.label(score)): setting.tasks[0]
    for settings in SUITES.values()
    for setting in settings
    for score in setting.scores
}


def figures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return an entry for each setting with rows for input, foundation and adapter, in the order of the rows."""
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        entry = entries.setdefault((row.suite, row.dataset, row.setting), {"published": ""})
        if row.published and row.method in REFERENCES:
            shown = entry["published"].rsplit(" ", 1)[0]
            if shown not in REFERENCES or REFERENCES.index(row.method) < REFERENCES.index(shown):
                entry["published"] = f"{row.method} {row.psnr:.2f}"
        elif row.method in COLUMNS and row.limit is None:
            task = MADE_FOR.get((row.suite, row.dataset, row.setting), row.suite)
            entry |= {"task": task, "dataset": row.dataset, "setting": row.setting, "protocol": row.protocol}
            entry |= {"images": row.images, "seconds_per_megapixel": row.seconds_per_megapixel}
            entry[COLUMNS[row.method]] = row.psnr
    return [entry for entry in entries.values() if set(COLUMNS.values()) <= set(entry)]


def main() -> None:
    """Read the rows, write the cards, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    entries = figures(read_rows(parser.parse_args().rows))

    before = load_foundation().fingerprint
    update_card(bundled_foundation(), licence=LICENCE)
    for task, path in bundled_adapters().items():
        if measured := [entry for entry in entries if entry["task"] == task]:
            update_card(path, licence=LICENCE, measured=measured)
    assert load_foundation().fingerprint == before

    shown: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in entries:  # if a setting is measured on RGB and on Y, the one that papers quote comes first
        shown.setdefault((entry["task"], entry["dataset"], entry["setting"].split(",")[0]), entry)
    print("| Task | Images | Setting | Input | Foundation | Adapter | Published |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- |")
    for place, entry in shown.items():
        numbers = " | ".join(f"{entry[column]:.2f}" for column in ("input", "foundation", "adapter"))
        print(f"| {' | '.join(place)} | {numbers} | {entry['published'] or '-'} |")


if __name__ == "__main__":
    main()
