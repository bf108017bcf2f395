from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from adair.degradations import parse_recipe, shrink
from adair.errors import AdairError
from adair.train.align import align, shifted
from adair.train.batches import Batches
from adair.train.objectives import GivenPairs
from adair.train.pairs import Pair, common_scale, match_pairs, open_pairs, read_pair
from adair.train.photos import Pixels, read_photo


def picture(seed: int = 0, height: int = 136, width: int = 150) -> Pixels:
    """Blobs of several sizes with some texture: something that can be aligned."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for cells, weight in ((5, 90), (14, 60), (40, 30)):
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += weight / 180 * np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    return total.clip(0, 255).astype(np.uint8)


def damaged(image: Pixels, recipe: str) -> Pixels:
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    y = parse_recipe(recipe).apply(x, torch.Generator().manual_seed(0)).clamp(0, 1)
    return (y[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def save(path: Path, image: Pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def gray(image: Pixels) -> np.ndarray:
    return image.mean(axis=2, dtype=np.float64)


@given(st.floats(-6, 6), st.floats(-6, 6), st.sampled_from(["noise(sigma=20)", "jpeg(quality=20)", "haze"]))
@example(5.0, 0.0, "jpeg(quality=20)")  # whose blocks do not move with the picture, and pull
@settings(deadline=None, max_examples=8)
def test_a_shift_is_measured_through_damage(down: float, right: float, recipe: str) -> None:
    image = picture()
    found = align(gray(image), gray(damaged(shifted(image, down, right), recipe)))
    assert found.related and not found.warped
    limit = 0.4 if "jpeg" in recipe else 0.25
    assert math.hypot(found.down - down, found.right - right) < limit


def test_what_is_not_a_shift_is_told_apart() -> None:
    image = picture()
    assert not align(gray(image), gray(picture(1))).related
    turned = np.asarray(Image.fromarray(image).rotate(5, Image.Resampling.BICUBIC))
    assert align(gray(image), gray(turned)).warped
    assert not align(gray(image), gray(damaged(image, "blur(sigma=3)"))).warped


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_motion_blur_is_no_shift(seed: int, tmp_path: Path) -> None:
    """Its correlation peaks at either end of the path, in each quarter of the picture at another."""
    image = picture(seed)
    blurred = damaged(image, "motion(length=12, angle=30, bend=0)")
    found = align(gray(image), gray(blurred))
    assert found.related and not found.warped
    pixels, _ = read_pair(save(tmp_path / "a" / "x.png", blurred), save(tmp_path / "b" / "x.png", image))
    assert np.array_equal(pixels[..., :3], image)  # left where it was


def test_a_shifted_pair_is_laid_together(tmp_path: Path) -> None:
    image = picture()
    clean = save(tmp_path / "clean.png", image)
    worse = save(tmp_path / "worse.png", shifted(image, 1.4, -0.7))
    pair, facts = read_pair(worse, clean)
    assert "corrected" in facts["note"]
    assert facts["shift"] == pytest.approx([1.4, -0.7], abs=0.1)
    assert pair.shape == (136 - 4, 150 - 2, 6)
    assert np.abs(pair[8:-8, 8:-8, :3].astype(int) - pair[8:-8, 8:-8, 3:]).mean() < 1
    pair, facts = read_pair(save(tmp_path / "noisy.png", damaged(image, "noise(sigma=15)")), clean)
    assert facts["note"] == ""
    assert np.array_equal(pair[..., :3], image)


def test_a_small_picture_is_enlarged_to_its_large_one(tmp_path: Path) -> None:
    image = picture(0, 135, 150)
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].double() / 255
    small = (shrink(x, 2)[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    pair, facts = read_pair(save(tmp_path / "s.png", small), save(tmp_path / "l.png", image))
    assert facts["scale"] == 2
    assert pair.shape == (135, 150, 6)
    assert np.abs(pair[..., :3].astype(int) - pair[..., 3:]).mean() < 4


def test_pairs_are_matched_by_name_and_the_rest_is_named(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    for i in range(3):
        save(good / f"p{i}.png", picture(i))
        save(bad / f"p{i}.bmp", damaged(picture(i), "noise(sigma=10)"))
    save(bad / "alone.png", picture(7))
    matches, alone = match_pairs(bad, good)
    assert [pair.name for pair in matches] == ["p0", "p1", "p2"]
    assert len(alone) == 1 and "alone.png" in alone[0]
    (bad / "p1.bmp").write_bytes(b"not an image")
    save(bad / "p2.bmp", picture(2)[:100])
    store = open_pairs(matches, tmp_path / "cache")
    assert (len(store), common_scale(store)) == (1, 1)
    assert "p1.bmp" in store.skipped[0] and "150x100" in store.skipped[1]
    again = open_pairs(matches, tmp_path / "cache")
    assert np.array_equal(again.photo(0), store.photo(0))

    target, degraded = Batches(store, GivenPairs(), 6, 0, torch.device("cpu")).make(0, 32)
    assert target.shape == degraded.shape == (6, 3, 32, 32)
    assert (degraded - target).std() * 255 == pytest.approx(10, rel=0.1)


def test_two_files_are_a_pair_and_folders_may_differ_in_depth(tmp_path: Path) -> None:
    one, other = save(tmp_path / "a.png", picture()), save(tmp_path / "b.png", picture(1))
    assert match_pairs(one, other) == ([Pair("a", one, other)], [])
    save(tmp_path / "x" / "deep" / "p.png", picture()), save(tmp_path / "y" / "p.png", picture())
    assert [pair.name for pair in match_pairs(tmp_path / "x", tmp_path / "y")[0]] == ["p"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (picture(1), "does not show"),
        (picture(), "identical to"),
        (picture()[:100], "sizes must be equal"),
        (np.asarray(Image.fromarray(picture()).resize((300, 272))), "larger one"),
        (np.asarray(Image.fromarray(picture()).rotate(5, Image.Resampling.BICUBIC)), "rotated"),
    ],
)
def test_a_pair_that_is_none_is_refused(tmp_path: Path, bad: Pixels, said: str) -> None:
    clean, worse = save(tmp_path / "clean.png", picture()), save(tmp_path / "worse.png", bad)
    with pytest.raises(AdairError, match=said) as caught:
        read_pair(worse, clean)
    assert "worse.png" in str(caught.value)
    with pytest.raises(AdairError, match="none of its 1"):
        open_pairs([Pair("p", worse, clean)], tmp_path / "cache")


def test_folders_that_cannot_be_matched(tmp_path: Path) -> None:
    save(tmp_path / "x" / "a.png", picture()), save(tmp_path / "y" / "b.png", picture())
    with pytest.raises(AdairError, match="both images of a pair"):
        match_pairs(tmp_path / "x", tmp_path / "y")
    with pytest.raises(AdairError, match="does not exist"):
        match_pairs(tmp_path / "z", tmp_path / "y")
    with pytest.raises(AdairError, match="two folders"):
        match_pairs(tmp_path / "x", tmp_path / "x")
    save(tmp_path / "x" / "a.bmp", picture())
    with pytest.raises(AdairError, match="same name"):
        match_pairs(tmp_path / "x", tmp_path / "y")


def test_scales_are_not_mixed(tmp_path: Path) -> None:
    half = np.asarray(Image.fromarray(picture()).resize((75, 68), Image.Resampling.BICUBIC))
    matches = []
    for name, image in (("a", half), ("b", damaged(picture(), "noise(sigma=10)"))):
        clean, worse = (
            save(tmp_path / "clean" / f"{name}.png", picture()),
            save(tmp_path / "bad" / f"{name}.png", image),
        )
        matches.append(Pair(name, worse, clean))
    with pytest.raises(AdairError, match="one adapter for each"):
        common_scale(open_pairs(matches, tmp_path / "cache"))


def test_sixteen_bits_of_gray_are_rounded_not_clipped(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 80 * 80).reshape(80, 80).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    read = read_photo(tmp_path / "deep.png")
    assert np.abs(read[..., 0] - levels / 257).max() <= 0.51
