"""One image in, the same kind out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import degrade, parse_recipe
from adair.errors import AdairError


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_pillow_modes_come_back(mode: str, pixels: np.ndarray) -> None:
    image = (
        Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else Image.fromarray(pixels).convert(mode)
    )
    image.info["icc_profile"] = b"profile"
    worse = degrade(image, "noise(sigma=25)")
    assert worse.mode == mode and worse.size == image.size
    assert worse.info["icc_profile"] == b"profile"
    assert worse.tobytes() != image.tobytes()


@pytest.mark.parametrize(("mode", "result"), [("P", "RGB"), ("CMYK", "RGB"), ("1", "L")])
def test_modes_that_cannot_hold_the_result_are_converted(mode: str, result: str, pixels: np.ndarray) -> None:
    assert degrade(Image.fromarray(pixels).convert(mode), "blur").mode == result


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 1), (9, 8, 3), (9, 8, 4)])
def test_arrays_come_back(dtype: type, shape: tuple[int, ...]) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    array = (np.random.default_rng(0).random(shape) * top).astype(dtype)
    worse = degrade(array, "noise(sigma=25)")
    assert worse.dtype == dtype and worse.shape == shape
    assert not np.array_equal(worse, array)
    if shape[-1] == 4:
        assert np.allclose(worse[..., 3], array[..., 3], atol=1e-7 * top), "alpha stays"


def test_tensors_come_back() -> None:
    x = torch.rand(2, 3, 9, 8)
    assert degrade(x, "blur").shape == x.shape
    levels = (x * 255).byte()
    assert degrade(levels, "blur").dtype == torch.uint8


def test_all_kinds_agree(pixels: np.ndarray) -> None:
    recipe = parse_recipe("blur(sigma=1) > noise(sigma=10..20)")
    expected = degrade(pixels, recipe, seed=3)
    assert np.array_equal(np.asarray(degrade(Image.fromarray(pixels), recipe, seed=3)), expected)
    levels = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    assert np.array_equal(degrade(levels, str(recipe), seed=3)[0].permute(1, 2, 0).numpy(), expected)
    assert not np.array_equal(degrade(pixels, recipe, seed=4), expected)


def test_sixteen_bits_keep_more_than_eight() -> None:
    ramp = np.linspace(0, 65535, 400).astype(np.uint16).reshape(20, 20)
    assert len(np.unique(degrade(ramp, "noise(sigma=0, clip=false)"))) == 400


def test_smaller_images_take_their_alpha_along(pixels: np.ndarray) -> None:
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 77, np.uint8)])
    worse = degrade(rgba, "downscale(scale=3)")
    assert worse.shape == (4, 6, 4)
    assert (worse[..., 3] == 77).all()


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (np.zeros((4, 4), np.int64), "int64 has no known white"),
        (np.zeros((2, 4, 4, 3)), "not an image"),
        (np.zeros((0, 4)), "not an image"),
        (torch.zeros(3, 4, 4), "give (N, C, H, W)"),
        ("photo.png", "a str is not an image"),
        (Image.new("F", (4, 4)), "mode F has no known white"),
    ],
)
def test_other_kinds_are_refused(image: object, problem: str) -> None:
    with pytest.raises(AdairError) as caught:
        degrade(image, "noise")  # type: ignore[type-var]
    assert problem in str(caught.value)


@pytest.mark.parametrize("seed", [-1, 10**22])
def test_seeds_that_no_generator_takes_are_refused(seed: int, pixels: np.ndarray) -> None:
    with pytest.raises(AdairError, match=f"seed {seed} is outside"):
        degrade(pixels, "noise", seed=seed)
