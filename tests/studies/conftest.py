"""A workspace with a few small photos, and jobs that a test can afford."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.backbones.registry import NAFNetConfig
from adair.studies.budget import BUDGETS, Budget
from adair.studies.networks import Whole
from adair.studies.scores import Scores
from adair.studies.study import Results
from adair.studies.tasks import Test
from adair.studies.training import Course
from adair.studies.workspace import Job, Place, Result, Workspace

SHAPE = NAFNetConfig(width=4, encoder=(1,), middle=1, decoder=(1,))

NO_COSTS = {"seconds": 0.0}


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four smooth photos."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((96, 84), Image.Resampling.BICUBIC).save(folder / f"photo{seed}.png")
    return folder


@pytest.fixture
def make_workspace(photo_folder: Path, tmp_path: Path) -> Callable[..., Workspace]:
    """``make_workspace("name")``: a workspace with a folder of that name; further keywords are a `Place`'s."""

    def make(name: str = "runs", say: Callable[[str], None] = lambda line: None, **rest: object) -> Workspace:
        settings = {"held_out": 2, "device": "cpu", "precision": "fp32", **rest}
        return Workspace(Place(tmp_path / name, photo_folder, **settings), say)  # type: ignore[arg-type]

    return make


@pytest.fixture
def workspace(make_workspace: Callable[..., Workspace]) -> Workspace:
    return make_workspace()


@pytest.fixture
def tiny() -> Budget:
    return BUDGETS["tiny"]


@pytest.fixture
def whole() -> Callable[..., Whole]:
    """``whole(steps=...)``: a network of few weights to train; keywords are the course's."""

    def make(*recipes: str, **rest: int) -> Whole:
        settings = {"steps": 3, "batch": 2, "patch": 16, **rest}
        return Whole(Course(recipes or ("noise(sigma=25)",), **settings), SHAPE)  # type: ignore[arg-type]

    return make


@pytest.fixture
def planted(make_workspace: Callable[..., Workspace]) -> Callable[..., Results]:
    """``planted(budget, quality)``: results in which image i of a test has the PSNR of ``quality`` plus i dB.

    Further keywords are the figures of all other jobs.
    """

    def make(
        budget: Budget, quality: Callable[[Scores, Test], float], costs: dict[str, float] = NO_COSTS, **figures: object
    ) -> Results:
        class Planted(Results):
            def __getitem__(self, job: Job) -> Result:
                if not isinstance(job, Scores):
                    return Result({"rate": 1e-3, **figures}, costs)
                psnrs = {test.name: [quality(job, test) + image for image in range(8)] for test in job.tests}
                return Result({name: {"psnr": values, "ssim": [0.5] * 8} for name, values in psnrs.items()}, costs)

        return Planted(make_workspace(), budget)

    return make
