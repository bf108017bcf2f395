"""The inputs of methods: made from clean images, or files of the test set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adair.bench import datasets
from adair.bench.datasets import Found, Sample
from adair.degradations import parse_recipe, resize, shrink
from adair.errors import AdairError
from adair.metrics import quantise


class Source:
    """How the input of a setting is made."""

    @property
    def facts(self) -> Mapping[str, float]:
        """The facts for methods that are not blind (see `Case`)."""
        return {}

    @property
    def scale(self) -> int | None:
        """How many times smaller the input is; None if it has the same size."""
        return None

    def find(self, data: Path, dataset: str) -> Found:
        """Return the samples of a test set."""
        return datasets.clean_images(data, dataset)

    def text(self, found: Found) -> str:
        """Return this part of the protocol as text."""
        raise NotImplementedError

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        """Return the clean image (cropped if the protocol requires it) and the input, both (1, C, H, W).

        Raises:
            AdairError: files that do not fit together.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Noise(Source):
    """White Gaussian noise as in Restormer's evaluation: numpy's generator with seed 0 before every image."""

    sigma: int
    clipped: bool = False

    @property
    def facts(self) -> Mapping[str, float]:
        return {"sigma": float(self.sigma)}

    def text(self, found: Found) -> str:
        clipping = "clipped and rounded to 8 bits" if self.clipped else "not clipped"
        return f"Gaussian noise, {clipping}, numpy seed 0 for each image"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        _, channels, height, width = clean.shape
        noise = np.random.RandomState(0).normal(0, self.sigma / 255, (height, width, channels))
        given = clean + torch.from_numpy(noise).permute(2, 0, 1).float()
        return clean, quantise(given) if self.clipped else given


@dataclass(frozen=True)
class Degraded(Source):
    """A recipe with seed 0 for each image, as `adair degrade` applies it to the clean file."""

    recipe: str
    told: Mapping[str, float] = field(default_factory=dict, hash=False)  # so that settings can be keys

    @property
    def facts(self) -> Mapping[str, float]:
        return self.told

    def text(self, found: Found) -> str:
        return f"{self.recipe}; seed 0 for each image"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        return clean, parse_recipe(self.recipe).apply(clean, torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Paired(Source):
    """The degraded files of the test set, in the folder ``given``; their clean partners are in ``clean``."""

    given: str = datasets.INPUT
    clean: str = datasets.TARGET

    def find(self, data: Path, dataset: str) -> Found:
        return datasets.pairs(data, dataset, self.given, self.clean)

    def text(self, found: Found) -> str:
        return f"{self.given} files of the test set"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        given = _partner(sample, clean)
        if given.shape != clean.shape:
            raise AdairError(f"{sample.given}: is {_size(given)}, its clean partner {_size(clean)}")
        return clean, given


@dataclass(frozen=True)
class Small(Source):
    """Bicubic low resolution in 8 bits: MATLAB's own files if the test set has them, otherwise `shrink`.

    Clean images are cropped at the right and bottom to multiples of the scale.
    """

    times: int

    @property
    def scale(self) -> int:
        return self.times

    def find(self, data: Path, dataset: str) -> Found:
        return datasets.small_images(data, dataset, self.scale) or datasets.clean_images(data, dataset)

    def text(self, found: Found) -> str:
        files = any(sample.given for sample in found.samples)
        return "MATLAB's bicubic low-resolution files" if files else "bicubic low resolution as MATLAB makes it, 8 bits"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        if sample.given is None:
            clean = _divisible(clean, self.scale, sample)
            return clean, shrink(clean, self.scale)
        given = _partner(sample, clean)
        height, width = (side * self.scale for side in given.shape[-2:])
        if not (0 <= clean.shape[-2] - height < self.scale and 0 <= clean.shape[-1] - width < self.scale):
            raise AdairError(f"{sample.given}: is {_size(given)}, not a {self.scale}th of {_size(clean)}")
        return clean[..., :height, :width], given


@dataclass(frozen=True)
class SmallExact(Source):
    """Bicubic low resolution without rounding, on gray images, as in the first papers (SRCNN, VDSR)."""

    times: int

    @property
    def scale(self) -> int:
        return self.times

    def text(self, found: Found) -> str:
        return "bicubic low resolution as MATLAB makes it, not rounded"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        clean = _divisible(clean, self.scale, sample)
        return clean, resize(clean, (clean.shape[-2] // self.scale, clean.shape[-1] // self.scale))


@dataclass(frozen=True)
class SmallPillow(Source):
    """Low resolution in 8 bits with another filter of Pillow's: "lanczos", "box" or "hamming"."""

    times: int
    kernel: str

    @property
    def scale(self) -> int:
        return self.times

    def text(self, found: Found) -> str:
        return f"low resolution with Pillow's {self.kernel} filter, 8 bits"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        clean = _divisible(clean, self.scale, sample)
        image = Image.fromarray(clean[0].mul(255).round().byte().permute(1, 2, 0).numpy())
        size = (image.width // self.scale, image.height // self.scale)
        small = np.asarray(image.resize(size, Image.Resampling[self.kernel.upper()]), np.float32)
        return clean, torch.from_numpy(small).permute(2, 0, 1).unsqueeze(0) / 255


def _partner(sample: Sample, clean: Tensor) -> Tensor:
    if sample.given is None:
        raise AdairError(f"{sample.clean}: has no degraded partner")
    return datasets.load(sample.given, gray=clean.shape[1] == 1)


def _divisible(clean: Tensor, scale: int, sample: Sample) -> Tensor:
    height, width = (side // scale * scale for side in clean.shape[-2:])
    if not height or not width:
        raise AdairError(f"{sample.clean}: {_size(clean)} pixels cannot be made {scale} times smaller")
    return clean[..., :height, :width]


def _size(image: Tensor) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"
