"""The four tasks of the paper, each with an easy and a hard subset: what networks learn, and how they are tested.

From the paper (arXiv 2404.11475): the tasks are Gaussian denoising (two noise levels), super-resolution (two factors),
Gaussian deblurring and deraining; each has an easy (E) and a hard (H) subset; a main figure is the mean PSNR of the
four hard subsets. The numbers below, the test sets and the protocols are ours, because the paper does not publish them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from adair.bench.datasets import Found, Sample
from adair.bench.inputs import Degraded, Noise, Paired, Small, Source
from adair.bench.protocols import Score
from adair.degradations import parse_recipe

LEVELS = ("easy", "hard")
RGB, Y = Score("RGB"), Score("Y")


@dataclass(frozen=True)
class Drawn(Source):
    """A recipe whose draws (strength, angle, places) differ between images: the seed follows from the name."""

    recipe: str

    def text(self, found: Found) -> str:
        return f"{self.recipe}; a seed for each image, from its name"

    def make(self, clean: Tensor, sample: Sample) -> tuple[Tensor, Tensor]:
        seed = zlib.crc32(sample.clean.stem.encode())
        return clean, parse_recipe(self.recipe).apply(clean, torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Test:
    """A test setting.

    Attributes:
        name: its name in reports.
        dataset: its images, if a folder of test sets is given; otherwise held-out photos are used.
        source: how the input is made.
        score: how the result is scored.
        drawn: how the input of held-out photos is made, if ``source`` needs files of the test set.
    """

    name: str
    dataset: str
    source: Source
    score: Score = RGB
    drawn: Source | None = None

    @property
    def scale(self) -> int:
        """How many times smaller the input is."""
        return self.source.scale or 1


@dataclass(frozen=True)
class Subset:
    """The easy or the hard half of a task: a training recipe and a test."""

    recipe: str
    test: Test


@dataclass(frozen=True)
class Task:
    """A task with its two halves."""

    name: str
    easy: Subset
    hard: Subset

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes of both halves, on which X_{E+H} is trained."""
        return self.easy.recipe, self.hard.recipe

    @property
    def tests(self) -> tuple[Test, ...]:
        """The tests of both halves."""
        return self.easy.test, self.hard.test


LIGHT_RAIN = "rain(amount=0.01..0.15, brightness=0.1..0.6, haze=0)"
HEAVY_RAIN = "rain(amount=0.15..0.3, brightness=0.4..0.9)"

TASKS = (
    Task(
        "denoise",
        Subset("noise(sigma=10..30, clip=false)", Test("denoise 25", "Kodak24", Noise(25))),
        Subset("noise(sigma=40..60, clip=false)", Test("denoise 50", "Kodak24", Noise(50))),
    ),
    Task(
        "sr",
        Subset("resize(scale=2)", Test("sr x2", "Set14", Small(2), Score("Y", 2))),
        Subset("resize(scale=4)", Test("sr x4", "Set14", Small(4), Score("Y", 4))),
    ),
    Task(
        "deblur",
        Subset("blur(sigma=0.8..1.6)", Test("deblur 1.2", "Kodak24", Degraded("blur(sigma=1.2, kernel=25)"))),
        Subset("blur(sigma=2..3.2)", Test("deblur 3", "Kodak24", Degraded("blur(sigma=3, kernel=25)"))),
    ),
    Task(
        "derain",
        Subset(LIGHT_RAIN, Test("derain light", "Rain100L", Paired(), Y, Drawn(LIGHT_RAIN))),
        Subset(HEAVY_RAIN, Test("derain heavy", "Kodak24", Drawn(HEAVY_RAIN), Y)),
    ),
)

ALL_TESTS = tuple(test for task in TASKS for test in task.tests)
EASY_TESTS = tuple(task.easy.test for task in TASKS)
HARD_TESTS = tuple(task.hard.test for task in TASKS)
ALL_RECIPES = tuple(recipe for task in TASKS for recipe in task.recipes)
