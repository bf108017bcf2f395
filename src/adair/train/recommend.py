"""`recommend`: which adapter to start from for a user's own damage, and how much data training will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from adair.errors import AdairError, InputError
from adair.hardware import choose_device, choose_precision
from adair.hub.zoo import local_zoo
from adair.inspect import Inspector, advise
from adair.tasks import FOUNDATION
from adair.train.adapt import measure_files
from adair.train.config import TrainConfig
from adair.train.objectives import GivenPairs
from adair.train.photos import PhotoStore, Pixels, find_photos, read_photo, spread
from adair.train.run import open_photos
from adair.train.trainer import channels_last
from adair.train.validation import CROP_SIDE, GAIN, ValidationSets, evaluate, make_validation_sets, mean_psnr
from adair.weights import bundled_adapters, load_foundation

MOST = 12  # images that are looked at; more change little
INPUT, ZOO = "input", "zoo/"
NEAR = 3.0  # dB over the input, half of the squared error: the damage is close to what an adapter has learnt

# Rules of thumb: with ten pairs in ten minutes an adapter learnt damage that no other knew as well as from a hundred
# photos (docs/adapt.md); the study of few pairs (`adair study unseen --budget bundled`) is to replace them.
ENOUGH = "perhaps none: try it untrained first; 4 to 10 pairs and 10 minutes fit it to your damage"
SOME = "10 to 16 pairs and 10 to 30 minutes: it removes a part of your damage"
MANY = "16 to 64 pairs and 30 minutes or more: nothing that is known removes your damage"


@dataclass(frozen=True)
class Recommendation:
    """Where to start, and on what grounds.

    Attributes:
        start: the task of a bundled adapter, or ``zoo/NAME``; None: the foundation alone.
        data: how much data training will take, in words.
        images: number of images that were looked at.
        psnr: mean PSNR in dB on the pairs of the input, the foundation and every adapter, the best first; empty
            without pairs.
        ahead: on how many of the pairs the start is better than the next best.
        damage: without pairs: on how many of the images the estimator proposes each task.
    """

    start: str | None
    data: str
    images: int
    psnr: dict[str, float] = field(default_factory=dict)
    ahead: int = 0
    damage: dict[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Return it as text: the grounds, the start, the data, and what to do next."""
        found = [f"{name}: {value:.2f} dB" for name, value in self.psnr.items()]
        found += [f"{task}: proposed for {count} of {self.images} images" for task, count in self.damage.items()]
        why = f"ahead on {self.ahead} of {self.images} pairs" if self.psnr else "judged by the estimator, without pairs"
        found.append(f"start from: {self.start or 'the foundation alone'} ({why})")
        found.append(f"data, as a rule of thumb: {self.data}")
        if self.start is None:
            return [*found, "train: adair adapt NAME --pairs DEGRADED CLEAN --fresh"]
        option = f"--adapter {self.start} --task {self.start.removeprefix(ZOO)}"
        found.append(f"try: adair restore PHOTO {option if self.start.startswith(ZOO) else f'--task {self.start}'}")
        start = f" --start {self.start}" if self.start.startswith(ZOO) else ""  # of bundled ones, adapt finds the best
        return [*found, f"train: adair adapt NAME --pairs DEGRADED CLEAN{start}"]


def recommend(config: TrainConfig) -> Recommendation:
    """Recommend a start for training on a user's own damage.

    With pairs, the foundation and every bundled and zoo adapter on this machine restore the middle of up to 12 of them.
    Without clean images, the estimator of damage judges the degraded ones; it knows only what `adair inspect` does.

    Args:
        config: ``data.pairs`` or ``data.degraded_only``, the foundation, device and precision.

    Raises:
        AdairError: neither is given, no usable image, or a foundation that cannot be loaded.
    """
    if config.data.pairs is not None:
        cache = config.data.cache or (config.output or Path()).parent / "cache"
        photos, _ = open_photos(config, cache, CROP_SIDE)
        return from_pairs(config, photos.subset(spread(min(MOST, len(photos)), len(photos))))
    if config.data.degraded_only is None:
        raise InputError("--advise: give --pairs DEGRADED CLEAN, or --degraded-only FOLDER without clean images")
    source = config.data.degraded_only
    paths = [source] if source.is_file() else find_photos(source, config.data.exclude)
    return from_images([paths[index] for index in spread(min(MOST, len(paths)), len(paths))])


def candidates() -> dict[str, Path]:
    """Return the files of the adapters to choose from, by what ``--task`` or, for the zoo, ``--start`` calls them."""
    return bundled_adapters() | {f"{ZOO}{name}": path for name, path in local_zoo().items()}


def from_pairs(config: TrainConfig, photos: PhotoStore) -> Recommendation:
    """Recommend the adapter that restores these pairs best, if it is better than the foundation."""
    device = choose_device(config.device)
    sets = each_pair(photos, device)
    foundation = load_foundation(config.network.foundation)
    channels_last(foundation.model.to(device))
    precision = choose_precision(config.precision, device).dtype
    _, before = evaluate(sets, lambda x: x)
    return choose({INPUT: before, **measure_files(foundation, sets, candidates(), precision)})


def each_pair(photos: PhotoStore, device: torch.device) -> ValidationSets:
    """Return the middle of each pair as a set of its own, so that pairs can be counted."""
    found = {}
    for index in range(len(photos)):
        one = make_validation_sets(photos.subset([index]), {"pair": GivenPairs()}, device)
        found[f"{index} {photos.names[index]}"] = one["pair"]
    return found


def choose(measured: Mapping[str, Mapping[str, float]]) -> Recommendation:
    """Choose by PSNR in dB, which is given for `INPUT`, `FOUNDATION` and the adapters, by the name of the pair.

    >>> choose({"input": {"a": 20.0}, "foundation": {"a": 21.0}, "deblur": {"a": 22.0}}).start
    'deblur'
    """
    means = {name: mean_psnr(figures) for name, figures in measured.items()}
    ranked = dict(sorted(means.items(), key=lambda item: -item[1]))
    networks = [name for name in ranked if name != INPUT]
    best = networks[0] if means[networks[0]] >= means[FOUNDATION] + GAIN else FOUNDATION
    second = next((name for name in networks if name != best), INPUT)
    ahead = sum(measured[best][pair] > measured[second][pair] for pair in measured[best])
    gain = means[best] - means[INPUT]
    data = ENOUGH if gain >= NEAR else SOME if gain >= GAIN else MANY
    return Recommendation(None if best == FOUNDATION else best, data, len(measured[best]), ranked, ahead)


def from_images(paths: Sequence[Path]) -> Recommendation:
    """Recommend the task that the estimator proposes for most of some degraded images.

    Raises:
        AdairError: no image can be read.
    """
    images = []
    for path in paths:
        try:
            images.append(read_photo(path))
        except AdairError:
            continue
    if not images:
        raise AdairError(f"{paths[0]}: cannot be read, and neither can the others")
    return proposed(Inspector(), images, candidates())


def proposed(inspector: Inspector, images: Sequence[Pixels], tasks: Collection[str]) -> Recommendation:
    """Count the first steps of what `auto` would do to images (height, width, 3), uint8; half have to agree.

    The first step rather than the surest finding: noise comes before the JPEG that it is in.
    """
    plans = [advise(inspector.inspect(pixels), tasks).plan for pixels in images]
    damage = dict(Counter(next(iter(plan[0])) for plan in plans if plan).most_common())
    task = next(iter(damage), "")
    if 2 * damage.get(task, 0) < len(images):
        return Recommendation(None, MANY, len(images), damage=damage)
    if task == FOUNDATION:  # of several kinds of damage, or not quite known
        return Recommendation(None, SOME, len(images), damage=damage)
    return Recommendation(task, ENOUGH, len(images), damage=damage)
