"""Validation: held-out crops that are the same in every run, and checks before and after training.

The checks warn about too few photos, duplicates, nothing to learn, and no gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.metrics import psnr
from adair.train.batches import Patches
from adair.train.objectives import GivenPairs, Objective, SyntheticPairs, ToneAndDetail, local_means
from adair.train.photos import PhotoStore
from adair.train.state import TrainState

CROP_SIDE = 128  # pixels of a crop
HELD_OUT_PHOTOS = 12
EXACT = 100.0  # dB for equal images, instead of infinity: one pixel of a crop off by one level gives 95
FEW = 10  # photos or pairs; with fewer, the result depends on which ones they are
CLOSE = 8.0  # of 255: recompression changes a miniature by about 1, cropping 2 % by 6; different photos by 13
GAIN = 0.05  # dB; less does not count as a gain
NOT_MEASURED = (
    "without clean images nothing tells whether this is better than the bundled denoise, which knows most noise: "
    "compare with --task denoise by eye"
)
TONE = 0.12  # mean change of local means, of 1: haze and darkness change them by 0.2, rain and salt by up to 0.07
CHANGE = 0.25 / 255  # of 1: the largest difference in a patch that counts as none
LOOKS = ((16, 32), *[(64, 128)] * 4)  # patches and their side; more, and larger ones, as long as none has changed
ValidationSets = Mapping[str, tuple[Tensor, Tensor]]


def make_validation_sets(
    photos: PhotoStore, recipes: Mapping[str, str | Objective], device: torch.device
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return named (target, input) pairs, each (photos, 3, 128, 128): the centres of ``photos``.

    Args:
        photos: the photos that are held out.
        recipes: recipes as text, or other objectives, by name. Patches of an objective that needs more than 128 pixels
            per side (every second one, for example) are smaller if photos are, so that none is mirrored.
        device: the device of the result.
    """
    smallest = min(min(shape) for shape in photos.shapes)
    sets = {}
    for name, given in recipes.items():
        objective = SyntheticPairs(parse_recipe(given)) if isinstance(given, str) else given
        side = CROP_SIDE
        while side > 1 and objective.source_side(side) > max(side, smallest):
            side -= 1
        clean, degraded = objective.pair(photos.centres(objective.source_side(side)), torch.Generator().manual_seed(0))
        sets[name] = (clean.to(device), degraded.to(device))
    return sets


@torch.no_grad()
def evaluate(sets: ValidationSets, restore: Callable[[Tensor], Tensor]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean PSNR in dB by name (8-bit output, RGB), of the results of ``restore`` and of its inputs.

    All figures are finite, so that they can be averaged, compared and written to JSON: equal images (a flat sky that a
    blur does not change) count as 100 dB, and an image with NaN counts as 0.
    """
    restored, before = {}, {}
    for name, (clean, degraded) in sets.items():
        before[name] = _mean(psnr(degraded.clamp(0, 1), clean))
        output = torch.cat([restore(piece) for piece in degraded.split(4)])
        restored[name] = _mean(psnr(output.clamp(0, 1).mul(255).round().div(255), clean))
    return restored, before


def _mean(decibels: Tensor) -> float:
    return float(decibels.nan_to_num(nan=0.0, posinf=EXACT).clamp(max=EXACT).mean())


def mean_psnr(figures: Mapping[str, float]) -> float:
    """Return the mean over the validation sets, in dB."""
    return float(torch.tensor(list(figures.values()), dtype=torch.float64).mean()) if figures else float("-inf")


def check_photos(photos: PhotoStore, train: PhotoStore, held_out: PhotoStore) -> list[str]:
    """Return warnings about the photos, one line each.

    Args:
        photos: all photos.
        train, held_out: the two parts into which they were split.

    Raises:
        AdairError: all photos are the same.
    """
    if len(photos) == 1:
        return [f"only one photo ({photos.names[0]}): its lowest quarter is held out; more photos are more reliable"]
    small = {name: miniature(photos, index) for index, name in enumerate(photos.names)}
    alike = len({x.tobytes() for x in small.values()}) == 1  # so are noisy frames of one scene
    if alike and len({photos.photo(i).tobytes() for i in range(min(len(photos), 3))}) == 1:
        raise AdairError(f"all {len(photos)} photos show the same scene ({photos.names[0]}, ...); use different ones")
    warnings = []
    if len(photos) < FEW:
        warnings.append(f"only {len(photos)} photos: the result may depend on which they are; {FEW} or more are better")
    for name in held_out.names:
        twin = next((n for n in train.names if np.abs(small[n] - small[name]).mean() <= CLOSE), None)
        if twin is not None:
            warnings.append(
                f"{name} is held out, but looks like {twin} in the training set: validation is too optimistic"
            )
    return warnings


def check_objective(photos: PhotoStore, objective: Objective) -> Objective:
    """Return the objective, with a separate loss for the tone if its inputs have a different tone.

    An objective whose inputs equal its targets, such as a recipe that changes nothing, is refused. Given pairs are not:
    identical ones were refused when they were read, and the damage of the others may be a few specks.

    Raises:
        AdairError: there is nothing to learn.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = Patches(photos, torch.device("cpu"))
    for count, side in LOOKS:
        target, degraded = objective.pair(drawn.draw(count, objective.source_side(side), generator), generator)
        change = target - degraded
        changed = change[change.abs().amax(dim=(1, 2, 3)) >= CHANGE]
        if len(changed):
            return ToneAndDetail(objective) if float(local_means(changed).abs().mean()) > TONE else objective
    if not isinstance(objective, GivenPairs):
        raise AdairError(f"'{objective}' does not change photos: there is nothing to learn; make it stronger")
    return objective


def check_gain(state: TrainState, gain: float = GAIN) -> list[str]:
    """Return warnings about the figures of an adapter, one line each.

    Args:
        state: the state of its training.
        gain: dB by which it should be better; 0 with noisy targets, whose noise hides most of a gain.
    """
    reached, warnings = mean_psnr(state.psnr), []
    worse = [
        f"{name}: {value:.2f} dB, input {state.input_psnr[name]:.2f} dB"
        for name, value in state.psnr.items()
        if value < state.input_psnr.get(name, -np.inf)
    ]
    if worse:
        warnings.append(
            f"on held-out photos, the result is worse than the input ({'; '.join(worse)}): do not use it; train "
            "longer, or with more photos"
        )
    bundled = {name: value for name, value in state.baselines.items() if name != "foundation"}
    if reached < state.baselines.get("foundation", -np.inf) + gain:
        warnings.append(
            f"the adapter is no better than the foundation alone ({reached:.2f} dB and "
            f"{state.baselines['foundation']:.2f} dB): train longer, or with more photos"
        )
    best = max(bundled, key=lambda name: bundled[name], default=None)
    if best is not None and reached < bundled[best] + gain:
        warnings.append(
            f"the bundled adapter '{best}' is as good ({bundled[best]:.2f} dB, this one {reached:.2f}): "
            f"use --task {best}, or train longer"
        )
    return warnings


def miniature(photos: PhotoStore, index: int) -> NDArray[np.float32]:
    """Return a photo in 16x16 pixels, (16, 16, 3), 0..255, which resizing, compressing or trimming hardly changes."""
    photo = Image.fromarray(np.ascontiguousarray(photos.photo(index)[..., :3]))
    return np.asarray(photo.resize((16, 16), Image.Resampling.BOX), np.float32)
