"""Strength of the whole restoration, strengths in a blend, and the mean over flips and turns."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from adair.degradations import resize
from adair.errors import AdairError
from adair.inspect import Finding, Inspector
from adair.restore import ImageFile, Restorer
from adair.restore.ensemble import self_ensemble
from adair.tasks import DAMAGES

STRENGTHS = (0.0, 0.1, 0.3, 0.5, 0.8, 1.0)


class Damaged(Inspector):
    """Finds noise and shrinking in everything, a little less at each look, so that "auto" has two steps."""

    def __init__(self) -> None:
        self.looks = 0

    def inspect(self, pixels: np.ndarray) -> tuple[Finding, ...]:
        found = {"noise": 0.9, "resize": 0.8}
        self.looks += 1
        return tuple(Finding(kind, found.get(kind.name, 0.0), kind.level(0.5 - 0.001 * self.looks)) for kind in DAMAGES)


def images(photo: np.ndarray) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    small = photo[:33, :41]
    noisy = torch.from_numpy(rng.normal(0.5, 0.5, (2, 3, 33, 41)))  # partly outside 0..1, and float64
    return {
        "uint8": small,
        "uint16": rng.integers(0, 65536, (33, 41, 3), dtype=np.uint16),
        "gray": small[..., 0],
        "alpha": np.dstack([small, small[..., 0]]),
        "float64": small / 255,
        "tensor": noisy,
        "half": noisy.half(),
        "pil": Image.fromarray(small),
        "palette": Image.fromarray(small).convert("P"),
        "file": ImageFile(small, exif=b"kept"),
    }


KINDS_OF_IMAGE = tuple(images(np.zeros((60, 90, 3), np.uint8)))


def values(image: Any) -> np.ndarray:
    return image.pixels if isinstance(image, ImageFile) else np.asarray(image)


@pytest.fixture
def auto(restorer: Restorer) -> Restorer:
    restorer._inspector = Damaged()
    return restorer


@pytest.mark.parametrize("kind", KINDS_OF_IMAGE)
def test_strength_zero_is_the_image_bit_by_bit(auto: Restorer, photo: np.ndarray, kind: str) -> None:
    image = images(photo)[kind]
    before = values(image).copy()
    for task in ("denoise", "denoise=0.7,dejpeg=0.3", "foundation", "auto"):
        result = auto.restore(image, task, strength=0, tile=128, ensemble=True)
        assert type(result) is type(image)
        assert values(result).dtype == before.dtype
        assert values(result).tobytes() == before.tobytes()


@pytest.mark.parametrize("scale", [2, 3])
def test_strength_zero_of_sr_is_the_bicubic_enlargement(restorer: Restorer, photo: np.ndarray, scale: int) -> None:
    small = np.dstack([photo[:33, :41], photo[:33, :41, :1]])
    pixels = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
    bicubic = resize(pixels, (33 * scale, 41 * scale), scale).clamp(0, 1)
    result = restorer.restore(small, "sr", scale, strength=0)
    np.testing.assert_array_equal(result, (bicubic[0].permute(1, 2, 0) * 255).round().numpy())
    torch.testing.assert_close(restorer.restore(pixels, "sr", scale, strength=0), bicubic, atol=1e-6, rtol=0)
    gray = restorer.restore(small[..., 0], "sr", scale, strength=0)
    np.testing.assert_array_equal(gray, result[..., 0])


@pytest.mark.parametrize(
    ("task", "tile", "ensemble"),
    [("denoise", None, False), ("denoise=0.7,dejpeg=0.3", 128, False), ("auto", 0, False), ("foundation", 0, True)],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_moves_away_from_the_image_as_the_strength_grows(
    auto: Restorer, photo: np.ndarray, task: str, tile: int | None, ensemble: bool, dtype: type
) -> None:
    image = np.tile(photo, (3, 2, 1)) if tile else photo
    image = image.astype(dtype) * (257 if dtype is np.uint16 else 1)
    last = np.zeros(image.shape)
    means = []
    for strength in STRENGTHS:
        result = auto.restore(image, task, strength=strength, tile=tile, ensemble=ensemble).astype(int)
        distance = np.abs(result - image)
        assert (distance >= last).all()
        last = distance
        means.append(distance.mean())
    assert means == sorted(set(means))


def test_enlarging_too_moves_away_from_the_enlargement(restorer: Restorer, photo: np.ndarray) -> None:
    small = photo[:20, :30]
    results = [restorer.restore(small, "sr", strength=strength).astype(int) for strength in STRENGTHS]
    distances = [np.abs(result - results[0]) for result in results]
    assert all((more >= less).all() for less, more in pairwise(distances))
    assert distances[-1].mean() > 0.5


def test_with_several_steps_the_strength_mixes_the_image_and_the_end(auto: Restorer, photo: np.ndarray) -> None:
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    full = auto.restore(x, "auto")
    assert (full - auto.restore(x, "denoise")).abs().mean() > 0.001
    torch.testing.assert_close(auto.restore(x, "auto", strength=0.3), x + 0.3 * (full - x), atol=1e-6, rtol=0)


def test_strengths_in_a_blend_are_another_thing(restorer: Restorer, model_files: Path, photo: np.ndarray) -> None:
    """They lead from the foundation to the adapter."""
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    none, some, half, one = (restorer.restore(x, {"denoise": value}) for value in (0, 0.2, 0.5, 1))
    assert torch.equal(none, restorer.restore(x, "foundation"))
    assert torch.equal(one, restorer.restore(x, "denoise"))
    far = [float((each - none).abs().mean()) for each in (some, half, one)]
    assert far == sorted(set(far))
    assert not torch.equal(half, restorer.restore(x, "denoise", strength=0.5))
    assert torch.equal(restorer.restore(x, "foundation=0.3,denoise=0.5"), half)  # it is under every blend anyway
    restorer.add_adapter(model_files / "branches.safetensors")
    mixed = restorer.restore(x, "branches=0.5,denoise=0.5")  # kinds mix when restoring
    assert not torch.equal(mixed, half)


def test_sr_in_a_blend_enlarges_whatever_its_strength(restorer: Restorer, photo: np.ndarray) -> None:
    small = photo[:20, :30]
    assert restorer.restore(small, "denoise=0.7,sr=0.3").shape == (40, 60, 3)
    assert restorer.restore(small, "denoise=0.7,sr=0", scale=3).shape == (60, 90, 3)
    assert restorer.restore(small, "denoise=0.7,sr=0.3", scale=1).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("", "no task named"),
        ("  ", "no task named"),
        ({}, "no task named"),
        (",", "a part without a name"),
        ("denoise=0.7,dejepg=0.3", "unknown task 'dejepg'; did you mean 'dejpeg'"),
        ("denoise=-0.5", "'denoise': strength -0.5 is negative and would add damage; give 0 to 1"),
        ({"denoise": 1.5}, "'denoise': strength 1.5 is above 1, more than in training; 1 is as trained"),
        ({"denoise": True}, "strength True is not a finite number"),
        ({"denoise": "1"}, "strength '1' is not a finite number"),
        ("denoise=inf", "strength inf is not a finite number"),
    ],
)
def test_bad_blends_are_refused_in_one_line(restorer: Restorer, photo: np.ndarray, task: Any, words: str) -> None:
    with pytest.raises(AdairError) as error:
        restorer.restore(photo, task)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


VIEWS = {
    "mirrored": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "turned": lambda image: np.rot90(image),
    "transposed": lambda image: image.transpose(1, 0, 2),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("task", "strength"), [("denoise", 1.0), ("sr", 1.0), ("foundation", 0.6)])
def test_the_ensemble_of_a_view_is_the_view_of_the_ensemble(
    restorer: Restorer, photo: np.ndarray, view: str, task: str, strength: float
) -> None:
    image = (photo[:37, :50] / 255).astype(np.float32)
    seen = VIEWS[view](image)
    expected = VIEWS[view](restorer.restore(image, task, strength=strength, ensemble=True))
    found = restorer.restore(seen, task, strength=strength, ensemble=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    alone, other = restorer.restore(image, task, strength=strength), restorer.restore(seen, task, strength=strength)
    assert np.abs(other - VIEWS[view](alone)).max() > 1e-3  # the network alone is not like that


def test_the_ensemble_is_the_mean_over_eight_views(restorer: Restorer, photo: np.ndarray) -> None:
    x = torch.from_numpy(photo[:24, :40].copy()).permute(2, 0, 1)[None].float() / 255 * 0.5 + 0.25
    parts = []
    for flipped in (x, x.flip(2)):
        for turns in range(4):
            part = torch.rot90(restorer.restore(torch.rot90(flipped, turns, (2, 3)), "denoise"), 4 - turns, (2, 3))
            parts.append(part if flipped is x else part.flip(2))
    stack = torch.stack(parts)
    inside = ((stack > 0) & (stack < 1)).all(0)  # elsewhere, views were clamped before this mean
    assert inside.float().mean() > 0.9
    assert stack.std(0).max() > 1e-3
    result = restorer.restore(x, "denoise", ensemble=True)
    torch.testing.assert_close(result[inside], stack.mean(0)[inside], atol=1e-5, rtol=0)


def test_the_ensemble_of_a_network_that_treats_all_views_alike_changes_nothing() -> None:
    calls = []

    def alike(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return torch.nn.functional.avg_pool2d(x.square(), 3, 1, 1)

    x = torch.rand(2, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(self_ensemble(alike)(x), alike(x), atol=1e-6, rtol=0)
    assert sorted(map(tuple, calls)) == [(2, 3, 9, 14)] * 5 + [(2, 3, 14, 9)] * 4


def test_the_ensemble_in_tiles(restorer: Restorer, photo: np.ndarray) -> None:
    image = np.tile(photo, (3, 2, 1))
    seen: list[tuple[int, int]] = []
    tiled = restorer.restore(
        image, "foundation", tile=128, ensemble=True, progress=lambda done, total: seen.append((done, total))
    )
    whole = restorer.restore(image, "foundation", tile=0, ensemble=True)
    assert seen[-1][0] == seen[-1][1] > 1
    assert np.abs(tiled.astype(int) - whole).mean() < 0.2
    assert np.abs(tiled.astype(int) - restorer.restore(image, "foundation", tile=128)).mean() > 0.02
