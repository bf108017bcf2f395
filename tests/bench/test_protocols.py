"""Scores are what they say; inputs are made as they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adair.bench.datasets import Sample, load
from adair.bench.inputs import Degraded, Noise, Paired, Small, SmallExact, SmallPillow
from adair.bench.protocols import Score
from adair.degradations import degrade, shrink
from adair.errors import AdairError
from adair.metrics import luma, psnr, quantise, ssim

SAMPLE = Sample(Path("photo.png"))


@pytest.fixture
def clean() -> Tensor:
    return quantise(torch.rand(1, 3, 33, 41, generator=torch.Generator().manual_seed(1)))


@pytest.fixture
def other() -> Tensor:
    return quantise(torch.rand(1, 3, 33, 41, generator=torch.Generator().manual_seed(2)))


def test_scores(clean: Tensor, other: Tensor) -> None:
    score = Score("RGB")
    assert (score.psnr(other, clean), score.ssim(other, clean)) == (
        float(psnr(other, clean)),
        float(ssim(other, clean)),
    )
    score, y, wanted = Score("Y", 3), luma(other)[..., 3:-3, 3:-3], luma(clean)[..., 3:-3, 3:-3]
    assert score.psnr(other, clean) == pytest.approx(float(psnr(y, wanted)))
    assert score.ssim(other, clean) == pytest.approx(float(ssim(y, wanted)))
    gray, average = clean[:, :1], other.mean(1, keepdim=True)
    assert Score("gray").psnr(other, gray) == pytest.approx(float(psnr(average, gray)))


def test_scores_of_small_images(clean: Tensor, other: Tensor) -> None:
    small, score = clean[..., :14, :20], Score("RGB", 2)
    assert score.fits(small) and not score.fits_ssim(small)
    wanted = float(psnr(other[..., 2:12, 2:18], small[..., 2:12, 2:18]))
    assert score.psnr(other[..., :14, :20], small) == pytest.approx(wanted)
    assert score.ssim(other[..., :14, :20], small) is None
    assert not Score("RGB", 7).fits(small)


def test_noise_is_that_of_restormer(clean: Tensor) -> None:
    """numpy's old generator at seed 0 before each image, drawn as height x width x channels."""
    noise = torch.from_numpy(np.random.RandomState(0).normal(0, 1, (33, 41, 3))).permute(2, 0, 1) * 25 / 255
    _, given = Noise(25).make(clean, SAMPLE)
    assert torch.allclose(given.double(), clean.double() + noise, atol=1e-6)
    assert given.max() > 1 and given.min() < 0
    _, clipped = Noise(25, clipped=True).make(clean, SAMPLE)
    assert torch.equal(clipped, quantise(given))


def test_a_recipe_is_what_degrade_makes(clean: Tensor) -> None:
    recipe = "motion(length=9, angle=20, bend=0) > noise(sigma=15)"
    _, given = Degraded(recipe).make(clean, SAMPLE)
    assert torch.equal(given, degrade(clean, recipe, seed=0))


def test_small_images_are_made_where_there_are_no_files(clean: Tensor) -> None:
    cut, given = Small(2).make(clean, SAMPLE)
    assert cut.shape[-2:] == (32, 40) and torch.equal(given, shrink(cut, 2))
    cut, exact = SmallExact(4).make(clean, SAMPLE)
    assert cut.shape[-2:] == (32, 40) and exact.shape[-2:] == (8, 10)
    assert not torch.equal(exact, quantise(exact))
    _, box = SmallPillow(2, "box").make(clean, SAMPLE)
    means = cut.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert (box - means).abs().max() <= 1 / 255 + 1e-6  # it rounds after each of two passes


def test_small_files_are_preferred_and_must_fit(clean: Tensor, tmp_path: Path) -> None:
    small = quantise(torch.rand(1, 3, 16, 20))
    for name, image in (("Set5/a", clean), ("Set5_matlab_bicubic/x2/a", small), ("Set5_matlab_bicubic/x3/a", small)):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(path)
    found = Small(2).find(tmp_path, "Set5")
    cut, given = Small(2).make(load(found.samples[0].clean), found.samples[0])
    assert "MATLAB's bicubic low-resolution files" in Small(2).text(found)
    assert torch.equal(given, small) and torch.equal(cut, clean[..., :32, :40])
    (wrong,) = Small(3).find(tmp_path, "Set5").samples
    with pytest.raises(AdairError, match=r"x3.a\.png: is 20x16"):
        Small(3).make(clean, wrong)
    made = Small(4).find(tmp_path, "Set5")
    assert made.samples[0].given is None and "as MATLAB makes it" in Small(4).text(made)


def test_an_image_too_small_to_shrink_is_named() -> None:
    with pytest.raises(AdairError, match=r"photo\.png: 3x2"):
        Small(4).make(torch.rand(1, 3, 2, 3), SAMPLE)


def test_pairs_of_different_size_are_named(data: Path, clean: Tensor) -> None:
    sample = Paired().find(data, "Rain100L").samples[0]
    with pytest.raises(AdairError, match=r"input.1\.png: is 52x40, its clean partner 41x33"):
        Paired().make(clean, sample)


def test_gray_of_a_colour_image_is_y_in_8_bits(data: Path) -> None:
    path = data / "CBSD68" / "1.png"
    assert torch.equal(load(path, gray=True), quantise(luma(load(path))))
    assert load(data / "classic5" / "lena.png", gray=True).shape == (1, 1, 40, 52)
    assert load(data / "classic5" / "lena.png").shape == (1, 3, 40, 52)
