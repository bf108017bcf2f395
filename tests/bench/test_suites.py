"""The declarations fit together, and the inputs have the figures that the field knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from torch import Tensor

from adair.bench import published as figures
from adair.bench.datasets import Found, Sample
from adair.bench.inputs import Degraded
from adair.bench.methods import as_given
from adair.bench.protocols import Score
from adair.bench.published import published
from adair.bench.runner import load_case
from adair.bench.suites import PHOTO, REMARKS, SUITES, UNSEEN, WITHOUT_ADAPTER
from adair.data import dataset
from adair.degradations import OPERATORS, parse_recipe
from adair.metrics import quantise
from adair.tasks import BUNDLED, MIX, PHOTOS

SETTINGS = [setting for settings in SUITES.values() for setting in settings]


def test_rows_have_different_names() -> None:
    rows = [(s.suite, s.dataset, s.label(score)) for s in SETTINGS for score in s.scores]
    assert len(rows) == len(set(rows))
    assert set(REMARKS) == set(SUITES) == {*WITHOUT_ADAPTER, *(task.suite for task in BUNDLED.values())}
    assert all(
        name in BUNDLED for setting in SETTINGS if setting.suite not in WITHOUT_ADAPTER for name in setting.tasks
    )


def test_every_test_set_is_known_and_recipes_parse() -> None:
    for setting in SETTINGS:
        assert dataset(setting.dataset).name == setting.dataset
        if isinstance(setting.source, Degraded):
            parse_recipe(setting.source.recipe)


def operators(recipe: str) -> set[str]:
    return {name for name in OPERATORS if f"{name}(" in recipe.replace(" ", "")}


def test_unseen_degradations_are_in_no_training_recipe() -> None:
    trained = operators(" ".join([MIX, *(task.recipe for task in BUNDLED.values())]))
    for recipe in UNSEEN.values():
        assert operators(recipe) - trained, recipe


def test_damage_of_photos_is_in_the_mix() -> None:
    for recipe in PHOTO.values():
        assert operators(recipe) <= operators(PHOTOS), recipe


def test_white_noise_is_measured_with_the_adapter_made_for_it_and_with_that_of_photos() -> None:
    adapters = {s.adapters for s in SUITES["denoise"] if s.name.startswith("sigma")}
    assert adapters == {("gaussian-denoise", "denoise")}
    assert all(name in BUNDLED for name in adapters.pop())


def test_no_published_figure_gets_lost() -> None:
    tables = (figures._DENOISE, figures._SR, figures._DEJPEG)
    wanted = sum(len(row) for table in tables for methods in table.values() for row in methods.values())
    wanted += sum(map(len, figures._SINGLE.values()))
    rows = [row for setting in SETTINGS for row in published(setting)]
    assert len(rows) == wanted
    assert all(row.published and row.kind == "published" and row.images is None and row.protocol for row in rows)


@pytest.mark.parametrize(
    ("suite", "name", "words"),
    [
        ("denoise", "CBSD68 sigma 25", ["RGB", "not clipped", "seed 0", "8 bits"]),
        ("sr", "Set5 x3", ["MATLAB's Y", "border of 3 left out", "as MATLAB makes it, 8 bits"]),
        ("dejpeg", "classic5 quality 10", ["gray", "jpeg(quality=10, chroma=420)"]),
        ("deblur", "Kodak24 sigma 1.6", ["RGB", "blur(sigma=1.6, kernel=25)"]),
        ("unseen", "Kodak24 salt and pepper", ["RGB", "impulse(amount=0.05)", "the first 6 images"]),
    ],
)
def test_protocols_say_what_is_done(suite: str, name: str, words: list[str]) -> None:
    (setting,) = [s for s in SUITES[suite] if f"{s.dataset} {s.name}" == name]
    protocol = setting.protocol(setting.scores[0], Found([Sample(Path("a.png"))]))
    assert [word for word in words if word not in protocol] == []


def inputs(data: Path, suite: str, name: str, limit: int | None = None) -> Iterator[tuple[Score, Tensor, Tensor]]:
    """The first score of a setting, with the input of every image as it is scored, and the clean image."""
    (setting,) = [s for s in SUITES[suite] if f"{s.dataset} {s.name}" == name]
    found = setting.source.find(data, setting.dataset)
    assert not found.problems
    for sample in found.samples[:limit]:
        clean, case = load_case(setting, sample)
        image = as_given(case)
        yield setting.scores[0], image if image is case.given else quantise(image), clean


def mean_psnr(*place: Any, limit: int | None = None) -> float:
    return fmean(score.psnr(image, clean) for score, image, clean in inputs(*place, limit=limit))


# PSNR of bicubic as papers quote it, and its SSIM in the tables of VDSR (arXiv 1511.04587).
@pytest.mark.parametrize(
    ("name", "known", "similarity"),
    [
        ("Set5 x2 of Y", 33.66, 0.9299),
        ("Set5 x3 of Y", 30.39, 0.8682),
        ("Set5 x4 of Y", 28.42, 0.8104),
    ],
)
def test_bicubic_is_that_of_the_papers(shared: Path, name: str, known: float, similarity: float) -> None:
    pictures = list(inputs(shared / "data" / "test", "sr", name))
    assert fmean(score.psnr(image, clean) for score, image, clean in pictures) == pytest.approx(known, abs=0.005)
    assert fmean(score.ssim(image, clean) or 0 for score, image, clean in pictures) == pytest.approx(
        similarity, abs=1e-4
    )


@pytest.mark.parametrize(("name", "known"), [("Set14 x2 of Y", 30.24), ("Set14 x4 of Y", 26.00)])
def test_bicubic_of_gray_images_too(shared: Path, name: str, known: float) -> None:
    """Three images of Set14 are gray, and count as they are."""
    assert mean_psnr(shared / "data" / "test", "sr", name) == pytest.approx(known, abs=0.01)


@pytest.mark.parametrize(("scale", "known"), [(2, 33.68), (3, 30.41), (4, 28.43)])
def test_bicubic_from_matlabs_files(shared: Path, scale: int, known: float) -> None:
    """The small images of colour files, in 8 bits, as later methods get them: up to 0.02 dB above those figures."""
    assert mean_psnr(shared / "data" / "test", "sr", f"Set5 x{scale}") == pytest.approx(known, abs=0.005)


def test_rain_of_the_papers(shared: Path) -> None:
    assert mean_psnr(shared / "data" / "test", "derain", "Rain100L light rain") == pytest.approx(26.90, abs=0.005)


def test_noise_of_the_papers(shared: Path) -> None:
    assert 20.165 <= mean_psnr(shared / "data" / "test", "denoise", "CBSD68 sigma 25", limit=8) <= 20.185


def test_jpeg_of_the_papers(shared: Path) -> None:
    """QGAC and FBCNN (arXiv 2004.09320, 2109.14573) give this for LIVE1 as it comes."""
    assert mean_psnr(shared / "data" / "test", "dejpeg", "LIVE1 quality 10") == pytest.approx(25.69, abs=0.005)
