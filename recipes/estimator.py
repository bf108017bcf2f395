"""Train the estimator behind `--task auto` from a folder of clean photos.

    python recipes/estimator.py PHOTOS --cache FOLDER -o estimator.safetensors [--minutes 12]

It learns on parts of photos shrunk one to four times, and is measured on whole photos that it never saw: 24 of them,
each clean and with every degradation of the tasks. Needs no GPU.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from adair.degradations import parse_recipe
from adair.inspect import Estimator, Inspector, load_estimator, save_estimator
from adair.inspect.estimator import PATCH
from adair.inspect.plan import THRESHOLD
from adair.inspect.samples import MARGIN, make_samples
from adair.train.photos import PhotoStore, open_store
from adair.train.trainer import channels_last

HELD_OUT = 24
PASSES = 25  # over the gathered features
VALIDATION = {  # degradations of held-out photos, and the damage that must be found
    "clean": ("", None),
    "JPEG 95": ("jpeg(quality=95)", None),
    "grain 1": ("noise(sigma=1)", None),
    **{f"noise {s}": (f"noise(sigma={s})", "noise") for s in (8, 15, 25, 50)},
    "noise 25 unclipped": ("noise(sigma=25, clip=false)", "noise"),
    **{f"blur {s}": (f"blur(sigma={s})", "blur") for s in (1, 1.2, 2, 3)},
    **{f"x{s}": (f"resize(scale={s})", "resize") for s in (2, 3, 4)},
    "light rain": ("rain(amount=0.02..0.15, brightness=0.2..0.6, haze=0)", "rain"),
    "heavy rain": ("rain()", "rain"),
    **{f"JPEG {q}": (f"jpeg(quality={q})", "jpeg") for q in (10, 20, 40, 75)},
}


def clean_parts(store: PhotoStore, count: int, generator: torch.Generator) -> Tensor:
    """Draw square parts of photos shrunk by 1 to 4, which makes them as sharp as small photos are."""
    side = 2 * PATCH + MARGIN
    parts = np.empty((count, side, side, 3), np.uint8)
    chosen = torch.randint(len(store), (count,), generator=generator).tolist()
    for i, (index, draw) in enumerate(zip(chosen, torch.rand((count, 4), generator=generator).tolist(), strict=True)):
        photo = store.photo(index)
        largest = min(4.0, min(photo.shape[:2]) / side)
        factor = max(1.0, largest ** (1.3 * draw[0] - 0.3)) if largest > 1 else largest
        cut = int(side * factor)
        top, left = (int(at * (length - cut + 1)) for at, length in zip(draw[1:3], photo.shape[:2], strict=True))
        part = photo[top : top + cut, left : left + cut]
        if cut != side:
            filter_ = Image.Resampling.LANCZOS if draw[3] < 0.5 else Image.Resampling.BICUBIC
            part = np.asarray(Image.fromarray(part).resize((side, side), filter_))
        parts[i] = part[:, ::-1] if draw[3] % 0.5 < 0.25 else part
    return torch.from_numpy(parts).permute(0, 3, 1, 2).float().div_(255)


def in_patches(parts: Tensor) -> Tensor:
    """Cut every part (N, 3, 2 * PATCH, 2 * PATCH) into its four patches, (N, 4, 3, PATCH, PATCH)."""
    return parts.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).flatten(2, 3).transpose(1, 2)


def loss_of(odds: Tensor, severity: Tensor, present: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of the presence, and the error of the severity where there is any damage."""
    there = (truth > 0).float()
    wrong = F.smooth_l1_loss(severity, truth.clamp(max=1.2), reduction="none", beta=0.1) * there
    return F.binary_cross_entropy_with_logits(odds, present) + 3 * wrong.sum() / there.sum().clamp(min=1)


def train(store: PhotoStore, options: argparse.Namespace) -> tuple[Estimator, int]:
    """Train for the time given, the learning rate following a cosine over it; return the steps too."""
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    estimator = load_estimator(options.start) if options.start else Estimator(options.width)
    channels_last(estimator.requires_grad_(True)).train()
    optimizer = torch.optim.AdamW(estimator.parameters(), lr=options.learning_rate, weight_decay=0.01)
    started, step, mean = time.process_time(), 0, 0.0
    while options.minutes and (part := (time.process_time() - started) / (60 * options.minutes)) < 1:
        rate = options.learning_rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * part)) + 1e-6
        optimizer.param_groups[0]["lr"] = rate
        parts, present, truth = make_samples(clean_parts(store, options.batch, generator), generator)
        with torch.autocast("cpu", torch.bfloat16):
            odds, severity = estimator(in_patches(parts))
        loss = loss_of(odds, severity, present, truth)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(estimator.parameters(), 1.0)
        optimizer.step()
        mean, step = mean + 0.02 * (loss.item() - mean), step + 1
        if step % 100 == 0:
            right = ((odds > 0) == (present > 0)).float().mean(0).tolist()
            print(f"step {step} ({part:.0%}): loss {mean:.3f}, right {[round(r, 2) for r in right]}", file=sys.stderr)
    return estimator.eval(), step


def refit(estimator: Estimator, store: PhotoStore, options: argparse.Namespace) -> int:
    """Train the deciding layers anew on features of the finished convolutions; return the number of images.

    The features are gathered once, so many passes over them cost next to nothing.
    """
    generator = torch.Generator().manual_seed(options.seed + 1)
    features, present, truth = [], [], []
    end = time.process_time() + 60 * options.refit_minutes
    while time.process_time() < end:
        parts, there, severity = make_samples(clean_parts(store, options.batch, generator), generator)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            features.append(estimator.features(in_patches(parts)))
        present.append(there)
        truth.append(severity)
        if len(features) % 50 == 0:
            print(f"{len(features) * options.batch} images gathered", file=sys.stderr)
    data = [torch.cat(each).clone() for each in (features, present, truth)]
    layers: list[torch.nn.BatchNorm1d | torch.nn.Linear] = [estimator.scale, estimator.hidden, estimator.verdict]
    for layer in layers:
        layer.reset_parameters()
    parameters = [value for layer in layers for value in layer.requires_grad_(True).train().parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=0.05)
    steps = PASSES * math.ceil(len(data[0]) / 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(PASSES):
        for index in torch.randperm(len(data[0]), generator=generator).split(64):
            seen, there, severity = (each[index] for each in data)
            loss = loss_of(*estimator.decide(seen), there, severity)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    estimator.eval()
    return len(data[0])


def validation_images(store: PhotoStore) -> Iterator[np.ndarray]:
    """Yield parts of held-out photos of 512x384 pixels at most, shrunk once or twice."""
    for index in range(len(store)):
        photo = store.photo(index)
        factor = 1 + index % 3
        image = Image.fromarray(photo).reduce(factor) if factor > 1 else Image.fromarray(photo)
        left, top = max(0, image.width - 512) // 2 // 8 * 8, max(0, image.height - 384) // 2 // 8 * 8
        yield np.asarray(image.crop((left, top, min(image.width, left + 512), min(image.height, top + 384))))


def validate(estimator: Estimator, store: PhotoStore) -> dict[str, dict[str, float]]:
    """Return for every validation set: share right, share with nothing found, mean level of the damage."""
    inspector = Inspector(estimator)
    images = list(validation_images(store))
    result = {}
    for name, (recipe, kind) in VALIDATION.items():
        right, nothing, levels = 0, 0, []
        for image in images:
            x = torch.from_numpy(image.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255
            if recipe:
                x = parse_recipe(recipe).run(x, torch.Generator().manual_seed(0))
            findings = inspector.inspect(x[0].permute(1, 2, 0).numpy())
            silent = findings[0].probability < THRESHOLD
            nothing += silent
            right += silent if kind is None else findings[0].damage.name == kind and not silent
            levels += [finding.level for finding in findings if finding.damage.name == kind]
        result[name] = {"right": right / len(images), "nothing": nothing / len(images)}
        if levels:
            result[name] |= {"level": float(np.mean(levels)), "spread": float(np.std(levels))}
    return result


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of clean photos")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the decoded photos")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--exclude", action="append", default=[], help="stem of a photo to leave out; repeat for more")
    parser.add_argument("--minutes", type=float, default=8, help="time of one core")
    parser.add_argument("--refit-minutes", type=float, default=4, help="time of one core for the last layers")
    parser.add_argument("--batch", type=int, default=16, help="parts of photos a step, four patches each")
    parser.add_argument("--width", type=int, default=24, help="channels of the first layers")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="an estimator file to go on from, with another --seed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    seen, unseen = open_store(options.photos, options.cache, options.exclude).split(HELD_OUT)
    estimator, steps = train(seen, options)
    gathered = refit(estimator, seen, options)
    save_estimator(options.output, estimator)
    figures = validate(estimator, unseen)
    for name, row in figures.items():
        print(f"{name:20}", ", ".join(f"{key} {value:.2f}" for key, value in row.items()))
    training = {
        "photos": len(seen),
        "steps": steps,
        "batch": options.batch,
        "minutes": options.minutes,
        "images of the refit": gathered,
        "seed": options.seed,
        "parameters": sum(value.numel() for value in estimator.parameters()),
    }
    save_estimator(options.output, estimator, {"training": training, "held-out photos": figures})


if __name__ == "__main__":
    main()
