"""Measure `adair adapt --advise` against the best choice in hindsight: the figures of docs/adapt.md.

    python benchmarks/advise.py [--photos FOLDER] [--json FILE] [--device cpu] [--precision bf16]

Every case is a recipe. Three parts of 128x128 pixels are cut from each photo and degraded. One part of each is what a
user gives; the others decide which adapter would have been best there, without training. The regret of a choice is how
many dB it is worse there than the best one. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import zlib
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from adair.degradations import parse_recipe
from adair.hardware import choose_device, choose_precision
from adair.inspect import Inspector
from adair.metrics import quantise
from adair.tasks import FOUNDATION
from adair.train.adapt import measure_files
from adair.train.photos import find_photos, read_photo
from adair.train.recommend import INPUT, candidates, choose, proposed
from adair.train.trainer import channels_last
from adair.train.validation import evaluate
from adair.weights import load_foundation

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SIDE = 128
CASES = {
    "noise": "noise(sigma=25)",
    "camera noise": "camera(shot=0.01, read=0.01)",
    "JPEG": "jpeg(quality=20)",
    "noise in JPEG": "noise(sigma=20) > jpeg(quality=60)",
    "blur": "blur(sigma=2)",
    "defocus": "defocus(radius=3) > noise(sigma=1)",
    "motion": "motion(length=10, bend=0) > noise(sigma=1)",
    "enlarged x2": "resize(scale=2)",
    "rain": "rain()",
    "haze": "haze(thickness=0.8, airlight=0.9, unevenness=0.5)",
    "darkness": "lowlight(exposure=0.2) > camera(shot=0.001, read=0.002)",
    "salt and pepper": "impulse(amount=0.1)",
    "scratches": "scratches(count=4)",
    "banding": "banding(levels=10)",
    "cheap camera": "defocus(radius=2) > camera(shot=0.008, read=0.01) > jpeg(quality=40)",
}


def parts(path: Path) -> Tensor:
    """The middle and two corners of a photo, (3, 3, SIDE, SIDE)."""
    photo = torch.from_numpy(read_photo(path).copy()).permute(2, 0, 1).float() / 255
    bottom, right = (side - SIDE for side in photo.shape[1:])
    places = ((bottom // 2, right // 2), (0, 0), (bottom, right))
    return torch.stack([photo[:, top : top + SIDE, left : left + SIDE] for top, left in places])


def main() -> None:
    """Measure all cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="clean photos")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--device")
    parser.add_argument("--precision")
    options = parser.parse_args()
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device).dtype
    foundation = load_foundation()
    channels_last(foundation.model.to(device))
    inspector, files = Inspector(), candidates()
    clean = {path.stem: parts(path) for path in find_photos(options.photos)}
    rows: list[dict[str, Any]] = []
    for case, recipe in CASES.items():
        sets = {}
        for name, pieces in clean.items():
            generator = torch.Generator().manual_seed(zlib.crc32(f"{case} {name}".encode()))
            worse = quantise(parse_recipe(recipe).apply(pieces, generator))
            for index in range(len(pieces)):
                sets[f"{index} {name}"] = (pieces[index : index + 1].to(device), worse[index : index + 1].to(device))
        _, before = evaluate(sets, lambda x: x)
        figures = {INPUT: before, **measure_files(foundation, sets, files, precision)}
        given = {name: {one: value for one, value in all_.items() if one[0] == "0"} for name, all_ in figures.items()}
        other = {
            name: fmean(value for one, value in all_.items() if one[0] != "0")
            for name, all_ in figures.items()
            if name != INPUT
        }
        best = max(other, key=lambda name: other[name])
        pixels = [
            (worse[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()
            for one, (_, worse) in sets.items()
            if one[0] == "0"
        ]
        choices = {
            "pairs": choose(given).start or FOUNDATION,
            "estimator": proposed(inspector, pixels, files).start or FOUNDATION,
        }
        rows.append({"case": case, "input": fmean(before.values()), "foundation": other[FOUNDATION]})
        rows[-1] |= {"best": best, "best dB": other[best]}
        for way, choice in choices.items():
            rows[-1] |= {way: choice, f"{way}, regret": other[best] - other[choice]}
    print("| damage | foundation | best in hindsight | with pairs | regret | by the estimator | regret |")
    print("| --- | ---: | --- | --- | ---: | --- | ---: |")
    for row in rows:
        cells = [row["case"], f"{row['foundation']:.2f}", f"{row['best']}, {row['best dB']:.2f}"]
        for way in ("pairs", "estimator"):
            cells += [str(row[way]), f"{row[f'{way}, regret']:.2f}"]
        print("|", " | ".join(cells), "|")
    for way in ("pairs", "estimator", FOUNDATION):
        regrets = [row[f"{way}, regret"] if way != FOUNDATION else row["best dB"] - row["foundation"] for row in rows]
        right = sum(regret < 0.05 for regret in regrets)
        mean, worst = fmean(regrets), max(regrets)
        print(f"\n{way}: mean regret {mean:.2f} dB, worst {worst:.2f}; {right} of {len(rows)} within 0.05 dB")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
