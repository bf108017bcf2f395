"""Jobs that test a network: PSNR and SSIM of every image of some tests, and the time of restoring."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adair.backbones import set_local_statistics
from adair.bench import datasets
from adair.bench.datasets import Found, Sample
from adair.bench.meter import Meter
from adair.degradations import Recipe, parse_recipe, resize
from adair.errors import AdairError
from adair.metrics import quantise
from adair.restore.deploy import REACH
from adair.studies.networks import Network, bare
from adair.studies.tasks import Test
from adair.studies.workspace import Job, Result, Workspace, digest, resolved

BEST = 100.0  # dB for an image without any difference
_MARGIN = 48  # pixels around the crop that are degraded, too


@dataclasses.dataclass(frozen=True)
class Scores(Job):
    """A trained network's PSNR and SSIM.

    Figures: test name to {"psnr": [dB of each image], "ssim": [...]}. Costs: "seconds" per megapixel.

    Attributes:
        network: the network; None scores the input itself.
        tests: the settings.
        images: number of images per test.
        crop: side of the centre that is restored and scored.
        task: the task's name, for networks that need it.
        validation: whether the images are validation photos, and not those of the test.
    """

    network: Network | None
    tests: tuple[Test, ...]
    images: int
    crop: int
    task: str = ""
    validation: bool = False

    @property
    def title(self) -> str:
        names = ", ".join(test.name for test in self.tests)
        photos = ", validation photos" if self.validation else ""
        return f"test of {self.network.title if self.network else 'the input'} on {names}{photos}"

    def context(self, workspace: Workspace) -> Any:
        inputs = [resolved(_recipe(test.source)) + resolved(_recipe(test.drawn)) for test in self.tests]
        return [
            workspace.training_mark,
            REACH,
            _MARGIN,
            BEST,
            inputs,
            *(_images_mark(workspace, test, self.validation) for test in self.tests),
        ]

    def work(self, workspace: Workspace) -> Result:
        restorer = None if self.network is None else self.network.restorer(workspace, self.task)
        figures: dict[str, dict[str, list[float | None]]] = {}
        meter, pixels = Meter(workspace.device), 0
        for test in self.tests:
            found: dict[str, list[float | None]] = {"psnr": [], "ssim": []}
            for _, clean, given in images_of(workspace, test, self.images, self.crop, self.validation):
                restored = start = enlarged(given, clean, test)
                if restorer is not None:
                    if not pixels:
                        restore(workspace, restorer, start[..., :64, :64])  # chooses kernels, which must not be timed
                    with meter.watch():
                        restored = quantise(restore(workspace, restorer, start))
                    pixels += math.prod(clean.shape[-2:])
                value, similarity = test.score.psnr(restored, clean), test.score.ssim(restored, clean)
                found["psnr"].append(round(min(value, BEST), 6))
                found["ssim"].append(None if similarity is None else round(similarity, 6))
            figures[test.name] = found
        return Result(figures, {"seconds": meter.seconds / pixels * 1e6 if pixels else 0.0})

    def workload(self) -> tuple[str, float]:
        shape = self.network.shape if self.network else "nothing"
        return f"test {shape} {self.crop}", self.images * len(self.tests)

    def trial(self, workspace: Workspace) -> float:
        if self.network is None:
            return 0.1
        model, x = bare(self.network.shape, workspace), torch.rand(1, 3, self.crop, self.crop)
        restore(workspace, model, x)
        begun = workspace.clock()
        self.tests[0].score.ssim(restore(workspace, model, x), x)
        return 2 * (workspace.clock() - begun)


@torch.no_grad()
def restore(workspace: Workspace, restorer: nn.Module, given: Tensor) -> Tensor:
    """Restore (1, 3, H, W) with local statistics, in the workspace's precision; return it on the CPU."""
    set_local_statistics(restorer, REACH)
    try:
        x = given.to(workspace.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(workspace.device.type, workspace.precision, enabled=workspace.precision != torch.float32):
            return restorer(x).float().cpu().clamp(0, 1)  # type: ignore[no-any-return]
    finally:
        set_local_statistics(restorer, None)


def enlarged(given: Tensor, clean: Tensor, test: Test) -> Tensor:
    """Return the network's input: enlarged to the size of the result if it is smaller."""
    return resize(given, (clean.shape[-2], clean.shape[-1])).clamp(0, 1) if test.scale > 1 else given


def images_of(
    workspace: Workspace, test: Test, count: int, crop: int, validation: bool = False
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield name, clean image and input of a test, each (1, 3, H, W), evenly spaced over the test set.

    With ``validation``, they are made from validation photos.

    Raises:
        AdairError: an image that cannot be used.
    """
    samples = None if validation else _samples(workspace, test)
    if samples is None:
        photos = workspace.validation if validation else workspace.held_out
        for index in _spaced(len(photos), count):
            photo = torch.from_numpy(photos.photo(index).copy()).permute(2, 0, 1).unsqueeze(0).float() / 255
            name = photos.names[index]
            clean, given = (test.drawn or test.source).make(_centre(photo, crop + 2 * _MARGIN, 12), Sample(Path(name)))
            yield name, *_crop(clean, given, crop, test.scale)
    else:
        for index in _spaced(len(samples), count):
            sample = samples[index]
            clean, given = test.source.make(datasets.load(sample.clean), sample)
            yield sample.clean.name, *_crop(clean, given, crop, test.scale)


def protocol(workspace: Workspace, tests: Sequence[Test], images: int, crop: int) -> list[str]:
    """Return how tests are made and scored, as lines."""
    lines = [f"Tests: up to {images} images each, their centres of {crop}x{crop} pixels, restored in one piece."]
    for test in tests:
        samples = _samples(workspace, test)
        if samples is None:
            images_from, source = "held-out photos", test.drawn or test.source
        else:
            images_from, source = test.dataset, test.source
        lines.append(f"{test.name}: {images_from}; {source.text(Found(samples or []))}; {test.score}; 8-bit output.")
    return lines


def _samples(workspace: Workspace, test: Test) -> list[Sample] | None:
    """Return the samples of the test set; None if there is none, so that held-out photos are used."""
    data = workspace.place.data
    if data is None or not (data / test.dataset).is_dir():
        return None
    found = test.source.find(data, test.dataset)
    if not found.samples:
        raise AdairError(f"{data / test.dataset}: {found.problems[0]}")
    return found.samples


def _images_mark(workspace: Workspace, test: Test, validation: bool) -> str:
    """Return a fingerprint of what a test's images are made from."""
    if validation:
        return workspace.validation_mark
    samples = _samples(workspace, test)
    if samples is None:
        return workspace.held_out_mark
    files = [path for sample in samples for path in (sample.clean, sample.given) if path is not None]
    return digest([[path.name, _file_mark(path, path.stat().st_mtime_ns)] for path in files])


@functools.cache
def _file_mark(path: Path, changed: int) -> str:
    """Return the checksum of a file as of the time ``changed``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def _recipe(source: object) -> Recipe | None:
    """Return the recipe of a source, if it has one, with the ranges of its operators."""
    text = getattr(source, "recipe", None)
    return parse_recipe(text) if isinstance(text, str) else None


def _spaced(total: int, count: int) -> list[int]:
    """Return ``count`` evenly spaced integers below ``total``; all if there are fewer."""
    count = min(count, total)
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def _centre(image: Tensor, side: int, multiple: int) -> Tensor:
    height, width = image.shape[-2:]
    high, wide = (max(multiple, min(side, length) // multiple * multiple) for length in (height, width))
    top, left = ((length - inner) // 2 // multiple * multiple for length, inner in ((height, high), (width, wide)))
    return image[..., top : top + high, left : left + wide]


def _crop(clean: Tensor, given: Tensor, side: int, scale: int) -> tuple[Tensor, Tensor]:
    """Return the centre of a clean image and the same part of its input, which may be smaller by ``scale``."""
    return _centre(clean, side, scale), _centre(given, side // scale, 1)
