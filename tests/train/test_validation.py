from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.degradations import parse_recipe
from adair.errors import AdairError
from adair.train.objectives import GivenPairs, SyntheticPairs, ToneAndDetail
from adair.train.photos import PhotoStore, open_store
from adair.train.state import TrainState
from adair.train.validation import check_gain, check_objective, check_photos, evaluate


def test_a_recipe_that_does_nothing_is_refused(photos: PhotoStore) -> None:
    with pytest.raises(AdairError, match="nothing to learn"):
        check_objective(photos, SyntheticPairs(parse_recipe("noise(sigma=0)")))
    check_objective(photos, SyntheticPairs(parse_recipe("noise(sigma=5)?0.5")))


def specks(size: int, count: int, level: int) -> PhotoStore:
    """A pair of gray photos; the degraded one has ``count`` specks of one pixel."""
    pixels = np.full((size, size, 6), 128, np.uint8)
    places = np.random.default_rng(0).integers(0, size, (count, 2))
    pixels[places[:, 0], places[:, 1], 3:] = level
    return PhotoStore(pixels.reshape(-1), ("one",), ((size, size),), (0,), channels=6)


def test_sparse_damage_is_not_refused_as_none(photos: PhotoStore) -> None:
    """Of given pairs, however few specks they have; of a recipe, if more and larger patches show it."""
    assert check_objective(specks(600, 1, 255), GivenPairs()) == GivenPairs()
    assert check_objective(specks(600, 0, 255), GivenPairs()) == GivenPairs()  # reading has refused identical ones
    rare = SyntheticPairs(parse_recipe("noise(sigma=25)?0.02"))
    assert check_objective(photos, rare) == rare


def test_only_patches_that_change_tell_of_a_change_of_tone(photos: PhotoStore) -> None:
    objective = SyntheticPairs(parse_recipe("haze(thickness=1)?0.1"))
    assert isinstance(check_objective(photos, objective), ToneAndDetail)


@pytest.mark.parametrize(
    ("recipe", "tonal"), [("noise(sigma=25)", False), ("rain", False), ("haze(thickness=1)", True)]
)
def test_a_change_of_tone_gets_a_loss_of_its_own(photos: PhotoStore, recipe: str, tonal: bool) -> None:
    objective = check_objective(photos, SyntheticPairs(parse_recipe(recipe)))
    assert isinstance(objective, ToneAndDetail) == tonal and str(objective) == recipe


def test_few_and_similar_photos_are_named(photo_folder: Path, photos: PhotoStore, tmp_path: Path) -> None:
    lines = check_photos(photos, *photos.split(1))
    assert len(lines) == 1 and "only 6 photos" in lines[0]
    with Image.open(photo_folder / "photo0.png") as image:
        image.save(tmp_path / "a.png")
        image.resize((90, 81)).save(tmp_path / "b.jpg", quality=70)
        image.point(lambda level: level // 2).save(tmp_path / "c.png")  # bright and dark at the same places
    with Image.open(photo_folder / "photo1.png") as image:
        image.save(tmp_path / "d.png")
    store = open_store(tmp_path, tmp_path / "cache")
    lines = check_photos(store, store.subset([0, 3]), store.subset([1, 2]))
    assert [line for line in lines if "looks like" in line and "b.jpg" in line and "a.png" in line]
    assert not [line for line in lines if "c.png" in line]


def test_photos_that_are_all_the_same_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
    for i in range(4):
        image.save(tmp_path / f"{i}.png")
    store = open_store(tmp_path, tmp_path / "cache")
    with pytest.raises(AdairError, match="all 4 photos"):
        check_photos(store, *store.split(1))


def test_one_photo_is_cut_in_two_that_share_no_pixel(photos: PhotoStore) -> None:
    one = photos.subset([5])
    train, held_out = one.split(1)
    height, width = one.shapes[0]
    assert np.array_equal(np.concatenate([train.photo(0), held_out.photo(0)]), one.photo(0))
    assert held_out.shapes[0] == (height - round(0.75 * height), width)
    assert "only one photo" in check_photos(one, train, held_out)[0]


def test_an_adapter_that_gains_nothing_is_told() -> None:
    baselines = {"foundation": 29.0, "denoise": 29.5}

    def reached(value: float) -> TrainState:
        return TrainState(psnr={"a": value}, baselines=baselines)

    assert check_gain(reached(30.0)) == []
    assert check_gain(reached(29.6)) == []  # 0.1 dB is a gain
    assert "'denoise'" in check_gain(reached(29.52))[0]
    assert check_gain(reached(29.52), gain=0.0) == []
    assert "foundation alone" in check_gain(reached(29.0))[0] and "'denoise'" in check_gain(reached(29.0))[1]
    assert check_gain(TrainState(psnr={"a": 1.0})) == []


def test_a_result_that_is_worse_than_its_input_is_told() -> None:
    state = TrainState(psnr={"a": 30.0, "b": 24.0}, input_psnr={"a": 20.0, "b": 25.0})
    (line,) = check_gain(state, gain=0.0)
    assert "worse than the input (b: 24.00 dB, input 25.00 dB)" in line


def test_flat_photos_and_broken_networks_have_finite_figures() -> None:
    flat = torch.full((2, 3, 32, 32), 0.5)
    sets = {"blur": (flat, flat), "noise": (flat, flat + 0.1)}
    restored, before = evaluate(sets, lambda x: x)
    assert before == {"blur": 100.0, "noise": pytest.approx(20.0, abs=1e-3)}
    assert restored["blur"] < 100  # 0.5 is none of the 256 levels
    assert evaluate(sets, lambda x: x * float("nan"))[0] == {"blur": 0.0, "noise": 0.0}
