"""What a person should know before and after training an adapter: too few photos, duplicates, nothing gained."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from adair.errors import AdairError
from adair.train.early import mean
from adair.train.lessons import Lesson, Tonal, local_means
from adair.train.patches import Patches
from adair.train.photos import PhotoStore
from adair.train.plan import Report

FEW = 10  # photos or pairs; with less, what is learnt depends on which ones they are
CLOSE = 8.0  # of 255: compressing again changes a miniature by about 1, cutting 2 % off by 6; other photos differ by 13
GAIN = 0.05  # dB; less is no gain
TONE = 0.12  # mean change of local means, of 1: haze and darkness change them by 0.2, rain and salt by up to 0.07


def check_photos(photos: PhotoStore, train: PhotoStore, held_out: PhotoStore) -> list[str]:
    """Return warnings about the photos, a line each.

    Args:
        photos: all of them.
        train, held_out: what they were split into.

    Raises:
        AdairError: if all photos are the same.
    """
    if len(photos) == 1:
        return [f"one photo only ({photos.names[0]}): its lowest quarter is held out; add photos to know more"]
    small = {name: miniature(photos, index) for index, name in enumerate(photos.names)}
    alike = len({x.tobytes() for x in small.values()}) == 1  # noisy frames of one scene are, too
    if alike and len({photos.photo(i).tobytes() for i in range(min(len(photos), 3))}) == 1:
        raise AdairError(f"all {len(photos)} photos show the same ({photos.names[0]}, ...); give different ones")
    warnings = []
    if len(photos) < FEW:
        warnings.append(f"only {len(photos)} photos: the result may depend on which they are; {FEW} or more are better")
    for name in held_out.names:
        twin = next((n for n in train.names if np.abs(small[n] - small[name]).mean() <= CLOSE), None)
        if twin is not None:
            warnings.append(f"{name} is held out and looks like {twin}, which is trained on: validation is too kind")
    return warnings


def check_lesson(photos: PhotoStore, lesson: Lesson) -> Lesson:
    """Return how the lesson is best learnt: as it is, or with a loss of its own for the tone if inputs are off in it.

    Refuses a lesson whose inputs are its targets: a recipe that changes nothing.

    Raises:
        AdairError: if there is nothing to learn.
    """
    generator = torch.Generator().manual_seed(0)
    patches = Patches(photos, torch.device("cpu")).draw(16, lesson.reach(32), generator)
    target, degraded = lesson.pair(patches, generator)
    if float((target - degraded).abs().max()) < 0.25 / 255:
        raise AdairError(f"'{lesson}' leaves photos as they are: there is nothing to learn; make it stronger")
    return Tonal(lesson) if float(local_means(target - degraded).abs().mean()) > TONE else lesson


def verdict(report: Report, gain: float = GAIN) -> list[str]:
    """Return what the figures say against an adapter, a line each.

    Args:
        report: of its training.
        gain: dB by which it should be better; beside noisy targets, whose noise drowns most of a gain, 0 says enough.
    """
    reached, warnings = mean(report.psnr), []
    bundled = {name: value for name, value in report.beside.items() if name != "foundation"}
    if reached < report.beside.get("foundation", -np.inf) + gain:
        warnings.append(
            f"the adapter is no better than the foundation alone ({reached:.2f} and "
            f"{report.beside['foundation']:.2f} dB): train longer, or with more photos"
        )
    best = max(bundled, key=lambda name: bundled[name], default=None)
    if best is not None and reached < bundled[best] + gain:
        warnings.append(
            f"the bundled adapter '{best}' does as well ({bundled[best]:.2f} dB, this one {reached:.2f}): "
            f"use --task {best}, or train longer"
        )
    return warnings


def miniature(photos: PhotoStore, index: int) -> NDArray[np.float32]:
    """Return a photo in 16x16 pixels (16, 16, 3), 0..255: nearly the same when it is resized, compressed or trimmed."""
    photo = Image.fromarray(np.ascontiguousarray(photos.photo(index)[..., :3]))
    return np.asarray(photo.resize((16, 16), Image.Resampling.BOX), np.float32)
