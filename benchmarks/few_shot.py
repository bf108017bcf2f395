"""Measure adapters that are made in minutes, for damage that no bundled adapter knows, beside full fine-tuning.

    python benchmarks/few_shot.py --photos PHOTOS --data FOLDER --runs RUNS [--damage scanner ...] [--json FILE]
        [--minutes 10] [--photo-minutes 30] [--times 10] [--run "10 pairs" ...] [--cache CACHE] [--exclude STEM ...]

PHOTOS are clean photos, FOLDER is as for `adair bench`. RUNS keeps what was trained: a second call does only what is
missing. For each kind of damage these runs, each in a process of its own, as `adair adapt` does them:

    10 pairs                an adapter from ten pairs of files, for --minutes
    10 pairs, all weights   the whole foundation instead, from the same pairs, as long
    10 noisy pictures       an adapter from the degraded halves alone, as long, where damage is noise of single pixels
    100 photos              an adapter from a hundred clean photos and the damage itself, for --photo-minutes
    100 photos, all weights the whole foundation instead, as long
    100 photos, long        the adapter, --times as long

Then Markdown: PSNR on the centres of Kodak24 with the damage, what each run cost, and what it did to the old tasks.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor

from adair import Restorer
from adair.degradations import Recipe, parse_recipe
from adair.hardware import choose_device, tune_allocator
from adair.metrics import quantise
from adair.tasks import MIX_VALIDATION
from adair.train.adapt import Goal, train_adapter
from adair.train.config import NetworkConfig, ScheduleConfig, TrainConfig
from adair.train.objectives import GivenPairs, Objective, SyntheticPairs
from adair.train.pairs import match_pairs, open_pairs
from adair.train.photos import PhotoStore, find_photos, open_store, read_photo, spread
from adair.train.pretrain import train_foundation
from adair.train.processes import Processes
from adair.train.run import Begin
from adair.train.run import Run as OpenRun
from adair.train.selfsupervised import SelfSupervised, open_noisy
from adair.train.settings import FOR_ADAPTER, resolve
from adair.train.state import Callback
from adair.train.validation import GAIN, HELD_OUT_PHOTOS, mean_psnr
from adair.weights import bundled_adapters, bundled_foundation, load_foundation, read_header
from zoo import centres, quality

OLD = {  # validation sets and their adapters
    "noise 25": "gaussian-denoise",
    "x2": "sr",
    "blur 2": "deblur",
    "rain": "derain",
    "quality 20": "dejpeg",
    "noise in JPEG": "denoise",
    "photo": "denoise",
}
RATES = {False: None, True: 7e-4}  # learning rate of an adapter: that of `adair adapt`; of all weights


class Scanner:
    """An old scanner: a yellowed lamp, filters that leak, a stripe from every bad contact, a soft lens, noise."""

    colours = ((0.90, 0.08, 0.00), (0.06, 0.86, 0.02), (0.03, 0.14, 0.70))
    lens, sensor = parse_recipe("blur(sigma=0.9)"), parse_recipe("noise(sigma=4)")

    def apply(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade (N, 3, H, W) in 0..1; where the stripes begin is drawn for each image."""
        x = torch.einsum("ij,njhw->nihw", torch.tensor(self.colours), self.lens.apply(x, generator))
        rows = torch.arange(x.shape[2]).view(1, 1, -1, 1) / 7.3 + torch.rand(len(x), 1, 1, 1, generator=generator)
        return self.sensor.apply((0.03 + x * (1 + 0.05 * torch.sin(2 * math.pi * rows))).clamp(0, 1), generator)

    def __str__(self) -> str:
        return "an old scanner: blur, colour cast, stripes, noise"


DAMAGES: dict[str, Recipe | Scanner] = {
    "scanner": Scanner(),
    "salt": parse_recipe("impulse(amount=0.1)"),
    "motion": parse_recipe("motion(length=12, angle=30, bend=0) > noise(sigma=2)"),
    "photons": parse_recipe("poisson(peak=40)"),
}
NOISE = {"photons"}  # those that can be learnt from degraded pictures alone


@dataclass(frozen=True)
class Run:
    """One training: from pairs, their degraded halves or photos; an adapter or all weights; --times as long or not."""

    pairs: bool
    full: bool = False
    long: bool = False
    noisy: bool = False

    def result(self, folder: Path) -> Path:
        """Where the trained weights lie."""
        return folder / ("foundation.safetensors" if self.full else "adapter.safetensors")


RUNS = {
    "10 pairs": Run(pairs=True),
    "10 pairs, all weights": Run(pairs=True, full=True),
    "10 noisy pictures": Run(pairs=True, noisy=True),
    "100 photos": Run(pairs=False),
    "100 photos, all weights": Run(pairs=False, full=True),
    "100 photos, long": Run(pairs=False, long=True),
}


def place(options: argparse.Namespace, damage: str, run: str) -> Path:
    """Return the folder of a run."""
    return Path(options.runs / damage / run.replace(", ", "-").replace(" ", "-"))


def ten_pairs(options: argparse.Namespace, damage: str) -> PhotoStore:
    """Write ten pairs of pictures of at most 1024 pixels a side, unless they are there; open them."""
    folders = [options.runs / damage / name for name in ("degraded", "clean")]
    paths = find_photos(options.photos, options.exclude)
    for index in spread(10, len(paths)):
        files = [folder / f"{paths[index].stem}.png" for folder in folders]
        if all(file.exists() for file in files):
            continue
        clean = read_photo(paths[index], 1024)
        x = torch.from_numpy(clean.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255
        worse = DAMAGES[damage].apply(x, torch.Generator().manual_seed(index))
        pixels = worse[0].mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        for file, levels in zip(files, (pixels, clean), strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(levels).save(file, compress_level=1)
    matches, _ = match_pairs(*folders)
    return open_pairs(matches, options.runs / damage / "cache")


class Messages(Callback):
    """Prints what a run says."""

    def on_message(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr)


def train(options: argparse.Namespace, damage: str, name: str) -> dict[str, Any]:
    """Do one run and return what it cost."""
    tune_allocator()
    run, folder = RUNS[name], place(options, damage, name)
    folder.mkdir(parents=True, exist_ok=True)
    minutes = (options.minutes if run.pairs else options.photo_minutes) * (options.times if run.long else 1)
    config = TrainConfig(schedule=ScheduleConfig(minutes=minutes, learning_rate=RATES[run.full]))
    objective: Objective
    if run.noisy:
        objective = SelfSupervised()
    else:
        damaging = cast(Recipe, DAMAGES[damage])  # a scanner's `apply` is all that is needed
        objective = GivenPairs() if run.pairs else SyntheticPairs(damaging)
    validation = {damage: objective}
    settings = resolve(config, objective, FOR_ADAPTER)  # as `adair adapt` has them; all weights get the same
    if run.noisy:
        ten_pairs(options, damage)  # writes their degraded halves
        largest = max(side for _, side in settings.patches)
        store = open_noisy(options.runs / damage / "degraded", options.runs / damage / "cache", largest)
    elif run.pairs:
        store = ten_pairs(options, damage)
    else:
        photos = open_store(options.photos, options.cache or options.runs / "cache", options.exclude)
        store = photos.subset(spread(100, len(photos)))
    if run.full:
        began = json.loads((place(options, damage, name.split(",")[0]) / "run.json").read_text())["began with"]
        network = NetworkConfig(start=bundled_foundation(), start_adapter=bundled_adapters().get(began))
        config = replace(config, network=network)
    parts = store.split(min(HELD_OUT_PHOTOS, max(1, len(store) // 10)))
    ready = OpenRun(config, settings, choose_device(None), Processes(), Messages(), store, *parts)
    if run.full:
        state = train_foundation(ready, validation, Begin(), load_foundation(), {}, run.result(folder))
    else:
        goal = Goal(damage, None, objective, validation)
        state = train_adapter(ready, goal, Begin(), load_foundation(), run.result(folder))
        best = max(state.baselines, key=lambda task: state.baselines[task])  # what `adapt` began with, if it helps
        began = best if state.baselines[best] >= state.baselines["foundation"] + GAIN else "foundation"
    return {
        "minutes": state.seconds / 60,
        "steps": state.step,
        "best step": state.best_step,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
        "trained": read_header(run.result(folder)).parameters,
        "file MB": run.result(folder).stat().st_size / 1e6,
        "threads": torch.get_num_threads(),
        "photos": len(store),
        "began with": began,
        "validation": mean_psnr(state.psnr),
    }


def all_runs(options: argparse.Namespace, damage: str) -> dict[str, dict[str, Any]]:
    """Do the runs that were not done before, each in its own process, and return what they cost."""
    done = {}
    for name in [name for name in options.run or RUNS if damage in NOISE or not RUNS[name].noisy]:
        facts = place(options, damage, name) / "run.json"
        if not facts.exists():
            print(f"{damage}: {name}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, __file__, *sys.argv[1:], "--child", damage, name], check=True)
        done[name] = json.loads(facts.read_text())
    return done


def restorer_of(options: argparse.Namespace, damage: str, name: str) -> tuple[Restorer, str]:
    """Return a restorer with a run's result, and the task to ask it for."""
    path = RUNS[name].result(place(options, damage, name))
    if RUNS[name].full:
        return Restorer.load(path), "foundation"
    restorer = Restorer.load()
    return restorer, restorer.add_adapter(path, replace=True)


def restored(restorer: Restorer, task: str, images: list[Tensor]) -> list[Tensor]:
    """Restore images at their size."""
    return [restorer.restore(image, task, scale=1) for image in images]


def reached(options: argparse.Namespace, damage: str, names: list[str], clean: list[Tensor]) -> dict[str, Any]:
    """Return the PSNR on images with the damage: as they are, by the foundation and bundled adapters, by the runs."""
    given = [quantise(DAMAGES[damage].apply(x, torch.Generator().manual_seed(i))) for i, x in enumerate(clean)]
    bundled = Restorer.load()
    ways = {way: (bundled, way) for way in ("foundation", *bundled.tasks)}
    scores = {way: quality(restored(*asked, given), clean)["psnr"] for way, asked in ways.items()}
    best = max(scores, key=lambda way: scores[way])
    runs = {name: quality(restored(*restorer_of(options, damage, name), given), clean)["psnr"] for name in names}
    start = {"input": quality(given, clean)["psnr"], "foundation": scores["foundation"]}
    return {**start, "best bundled": scores[best], "best": best, "runs": runs}


def kept(options: argparse.Namespace, damage: str, names: list[str], clean: list[Tensor]) -> Iterator[dict[str, Any]]:
    """Yield, for each old task, what the foundation did, and what is left of it after each run.

    After a run of all weights that is the PSNR of its network. An adapter is added to a restorer and used, and then the
    old task's own adapter and the foundation alone are asked again: the number of values that changed.
    """
    old = Restorer.load()
    new = {name: restorer_of(options, damage, name) for name in names}
    for measured, recipe in MIX_VALIDATION.items():
        given = [parse_recipe(recipe).run(x, torch.Generator().manual_seed(i)) for i, x in enumerate(clean)]
        alone, own = restored(old, "foundation", given), restored(old, OLD[measured], given)
        row: dict[str, Any] = {"exam": measured, "foundation": quality(alone, clean)["psnr"]}
        for name, (restorer, task) in new.items():
            if RUNS[name].full:
                row[name] = {"psnr": quality(restored(restorer, task, given), clean)["psnr"]}
            else:
                restored(restorer, task, given[:1])
                again = [*restored(restorer, "foundation", given), *restored(restorer, OLD[measured], given)]
                changed = sum(int((a != b).sum()) for a, b in zip(again, [*alone, *own], strict=True))
                row[name] = {"changed": changed}
        yield row


def tables(results: dict[str, Any]) -> str:
    """Return the three tables in Markdown."""
    lines = ["| Damage | Run | Minutes | Steps | Peak memory | Trained | PSNR | over the best bundled |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for damage, result in results.items():
        got = result["reached"]
        lines += [f"| {damage} | {way} | | | | | {got[way]:.2f} | |" for way in ("input", "foundation")]
        lines.append(f"| {damage} | best bundled ({got['best']}) | | | | | {got['best bundled']:.2f} | |")
        for name, cost in result["cost"].items():
            value = got["runs"][name]
            spent = f"{cost['minutes']:.1f} | {cost['steps']} | {cost['peak MB']:.0f} MB | {cost['trained']:,}"
            lines.append(f"| {damage} | {name} | {spent} | {value:.2f} | {value - got['best bundled']:+.2f} |")
    for damage, result in results.items():
        names = [name for name in result["cost"] if RUNS[name].full]
        adapters = [name for name in result["cost"] if not RUNS[name].full]
        lines += [
            "",
            f"Old tasks after {damage}: PSNR of the network alone; values of old results that adapters changed.",
        ]
        heads = [f"{name} (began with {result['cost'][name]['began with']})" for name in names]
        columns = ["task", "foundation", *heads, "changed by adapters"]
        lines += ["", f"| {' | '.join(columns)} |", "| --- |" + " ---: |" * (len(columns) - 1)]
        for row in result["kept"]:
            figures = [f"{value:.2f}" for value in (row["foundation"], *(row[name]["psnr"] for name in names))]
            changed = str(sum(row[name]["changed"] for name in adapters))
            lines.append(f"| {' | '.join([row['exam'], *figures, changed])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of clean photos")
    parser.add_argument("--data", type=Path, required=True, help="folder of test sets")
    parser.add_argument("--runs", type=Path, required=True, help="folder for what is trained")
    parser.add_argument("--cache", type=Path, help="folder for decoded photos; default: inside --runs")
    parser.add_argument("--exclude", action="append", default=[], help="stem of a photo to leave out; repeat for more")
    parser.add_argument("--damage", action="append", choices=DAMAGES, help="only this damage; repeat for more")
    parser.add_argument("--run", action="append", choices=RUNS, help="only this run; repeat for more")
    parser.add_argument("--minutes", type=float, default=10, help="for runs from pairs")
    parser.add_argument("--photo-minutes", type=float, default=30, help="for runs from photos")
    parser.add_argument("--times", type=float, default=10, help="by which the long run is longer")
    parser.add_argument("--limit", type=int, help="measure on the first N images only")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        facts = train(options, *options.child)
        (place(options, *options.child) / "run.json").write_text(json.dumps(facts, indent=1) + "\n")
        return
    clean = centres(options.data, "Kodak24", options.limit)
    results = {}
    for damage in options.damage or DAMAGES:
        cost = all_runs(options, damage)
        got = reached(options, damage, list(cost), clean)
        old = list(kept(options, damage, list(cost), clean[: max(1, len(clean) // 3)]))
        results[damage] = {"damage": str(DAMAGES[damage]), "cost": cost, "reached": got, "kept": old}
        if options.json:
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(tables(results))


if __name__ == "__main__":
    main()
