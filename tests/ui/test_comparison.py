from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adair.errors import InputError
from adair.ui.comparison import compare_tasks
from adair.ui.desk import Desk

MIDDLE = (0.5, 0.5)


def test_the_photo_and_every_task(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    found = compare_tasks(photo, ["denoise", " ", "dejpeg > denoise"], MIDDLE, desk.restorer)
    assert [one.task for one in found] == ["photo", "denoise", "dejpeg > denoise"]
    assert np.array_equal(found[0].pixels, photo.image.pixels)
    assert np.array_equal(found[1].pixels, desk.restorer.restore(photo.image.pixels, "denoise"))
    assert str(found[1]) == "denoise"


def test_figures_against_a_reference(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    found = compare_tasks(photo, ["denoise"], MIDDLE, desk.restorer, photo)
    error = np.mean((found[1].pixels.astype(float) - photo.image.pixels) ** 2)
    assert found[0].psnr == float("inf")
    assert found[0].ssim == pytest.approx(1)
    assert found[1].psnr == pytest.approx(10 * np.log10(255**2 / error))
    other = desk.open(upload("other.png", (80, 64)))
    with pytest.raises(InputError, match="the same size"):
        compare_tasks(photo, ["denoise"], MIDDLE, desk.restorer, other)


@pytest.mark.parametrize("tasks", [[], ["", " "], ["denoise"] * 5])
def test_one_to_four_tasks(desk: Desk, upload: Callable[..., Path], tasks: list[str]) -> None:
    with pytest.raises(InputError, match="1 to 4"):
        compare_tasks(desk.open(upload()), tasks, MIDDLE, desk.restorer)
