"""Applying recipes to batches: who gets what, with which numbers, and always the same with the same seed."""

from __future__ import annotations

import collections

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.degradations import OPERATORS, parse_recipe
from adair.errors import AdairError

MIX = (
    "shuffle(noise(sigma=0..50, clip={true, false})?0.7, blur?0.4, resize?0.3, jpeg?0.4, rain?0.3) "
    "> (haze | lowlight > camera | motion | poisson)?0.5"
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def photo() -> torch.Tensor:
    """A batch of eight times the same smooth 8-bit picture with an edge."""
    row, col = torch.meshgrid(torch.linspace(0, 1, 40), torch.linspace(0, 1, 48), indexing="ij")
    channels = torch.stack([row, 0.5 + 0.4 * torch.sin(9 * col * row), (col > 0.5) * 0.6 + 0.2])
    return (channels.mul(255).round() / 255).expand(8, -1, -1, -1).contiguous()


@pytest.mark.parametrize("text", [*OPERATORS, MIX])
def test_the_seed_decides_everything(text: str, photo: torch.Tensor) -> None:
    recipe = parse_recipe(text)
    before = photo.clone()
    first, again, other = (recipe.run(photo, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(photo, before), "the input is never written to"
    assert torch.equal(first, again)
    if text not in ("downscale",):
        assert not torch.equal(first, other)


@pytest.mark.parametrize("text", [name for name in OPERATORS if name != "downscale"])
def test_every_sample_draws_its_own_numbers(text: str, photo: torch.Tensor) -> None:
    worse = parse_recipe(text).apply(photo, seeded(0))
    assert worse.shape == photo.shape
    different = {tuple(sample.flatten().tolist()) for sample in worse}
    assert len(different) >= 7, "eight equal inputs, eight draws (two may agree where numbers are whole)"


@pytest.mark.parametrize(
    "text",
    [
        "noise(sigma=0)",
        "noise(sigma=0, clip=false)",
        "blur(sigma=0)",
        "blur(sigma=2, kernel=1)",
        "blur(sigma=0, ratio=0.3)",
        "motion(length=0)",
        "defocus(radius=0)",
        "resize(scale=1)",
        "downscale(scale=1)",
        "rain(amount=0, haze=0)",
        "haze(thickness=0)",
        "lowlight(exposure=1)",
        "banding(levels=256)",
        "impulse(amount=0)",
        "scratches(count=0)",
        "scratches(strength=0)",
        "holes(count=0)",
        "camera(shot=0, read=0)",
        "grain(sigma=0)",
        "smooth(strength=0)",
        "sharpen(amount=0)",
        "sharpen(radius=0)",
        "shuffle(noise?0, blur?0) > (jpeg | rain)?0",
    ],
)
def test_no_strength_changes_nothing(text: str, photo: torch.Tensor) -> None:
    assert (parse_recipe(text).run(photo, seeded(0)) - photo).abs().max() < 1e-6


def test_tiny_blur_and_strong_blur_share_a_batch(photo: torch.Tensor) -> None:
    mixed = parse_recipe("blur(sigma={0, 4})").apply(photo, seeded(0))
    alike = [sample for sample, clean in zip(mixed, photo, strict=True) if torch.equal(sample, clean)]
    assert 0 < len(alike) < len(photo)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 2), (3, 40)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiny_images_survive(name: str, size: tuple[int, int], channels: int) -> None:
    x = torch.rand(2, channels, *size, generator=seeded(0))
    worse = parse_recipe(name).run(x, seeded(0))
    assert worse.isfinite().all()
    assert worse.min() >= 0 and worse.max() <= 1
    if name != "downscale":
        assert worse.shape == x.shape


@pytest.mark.parametrize("name", OPERATORS)
def test_values_outside_the_range_are_taken_back_by_what_follows(name: str) -> None:
    x = torch.rand(3, 3, 24, 24, generator=seeded(0))
    worse = parse_recipe(f"noise(sigma=100, clip=false) > {name}").run(x, seeded(0))
    assert worse.isfinite().all()
    assert worse.min() >= 0 and worse.max() <= 1


@pytest.mark.parametrize("noise", ["noise(sigma=20..50,", "poisson("])
def test_only_unclipped_noise_leaves_the_range(noise: str) -> None:
    x = torch.full((16, 1, 16, 16), 0.98)
    worse = parse_recipe(f"blur > {noise} clip={{true, false}})").apply(x, seeded(0))
    outside = (worse.amax(dim=(1, 2, 3)) > 1).tolist()
    assert True in outside and False in outside
    clipped = worse[~torch.tensor(outside)]
    assert torch.allclose(clipped * 255, (clipped * 255).round(), atol=1e-4)


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=20)
def test_one_of_takes_one_and_probability_is_one(seed: int) -> None:
    x = torch.full((400, 1, 1, 1), 0.5)
    kinds = parse_recipe("(haze(thickness=5, airlight=1) | lowlight(exposure=0.001))?0.5").apply(x, seeded(seed))
    counts = collections.Counter(
        "same" if v == 0.5 else "light" if v > 0.5 else "dark" for v in kinds.flatten().tolist()
    )
    assert 140 < counts["same"] < 260
    assert 60 < counts["light"] < 140
    assert 60 < counts["dark"] < 140


def test_shuffle_takes_all_members_in_every_order() -> None:
    # Two operators that do not commute: the value tells the order.
    x = torch.full((8, 1, 1, 1), 128 / 255)
    recipe = parse_recipe("shuffle(lowlight(exposure=0.2), haze(thickness=1, airlight=1, unevenness=0))")
    one = parse_recipe("lowlight(exposure=0.2) > haze(thickness=1, airlight=1, unevenness=0)").apply(x, seeded(0))
    two = parse_recipe("haze(thickness=1, airlight=1, unevenness=0) > lowlight(exposure=0.2)").apply(x, seeded(0))
    seen = torch.cat([recipe.apply(x, seeded(seed)).flatten() for seed in range(60)])
    first, second = (int(torch.isclose(seen, value.flatten()[0]).sum()) for value in (one, two))
    assert first + second == len(seen)
    assert 0.35 < first / len(seen) < 0.65


def test_whole_number_ranges_reach_both_ends_alike() -> None:
    drawn = parse_recipe("banding(levels=2..4)").root
    generator = seeded(0)
    value = drawn.given[0][1].sample(3000, True, generator)  # type: ignore[union-attr]
    counts = collections.Counter(value.tolist())
    assert set(counts) == {2.0, 3.0, 4.0}
    assert min(counts.values()) > 900


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_type_comes_back(dtype: torch.dtype, photo: torch.Tensor) -> None:
    worse = parse_recipe(MIX).apply(photo.to(dtype), seeded(0))
    assert worse.dtype == dtype


def test_memory_format_does_not_matter(photo: torch.Tensor) -> None:
    recipe = parse_recipe(MIX)
    channels_last = photo.to(memory_format=torch.channels_last)
    assert torch.equal(recipe.apply(photo, seeded(3)), recipe.apply(channels_last, seeded(3)))


def test_precision_that_training_allows_does_not_reach_the_pixels(photo: torch.Tensor) -> None:
    recipe, before = parse_recipe("blur(sigma=2) > resize(scale=2)"), torch.get_float32_matmul_precision()
    expected = recipe.apply(photo, seeded(0))
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(recipe.apply(photo, seeded(0)), expected)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_no_samples_no_work() -> None:
    assert parse_recipe(MIX).apply(torch.rand(0, 3, 8, 8), seeded(0)).shape == (0, 3, 8, 8)


def test_training_on_smaller_images_is_refused(photo: torch.Tensor) -> None:
    with pytest.raises(AdairError, match="use resize instead of downscale"):
        parse_recipe("noise > (blur | downscale)?0.5").apply(photo, seeded(0))


def test_a_batch_cannot_become_smaller_in_part(photo: torch.Tensor) -> None:
    with pytest.raises(AdairError, match="one at a time"):
        parse_recipe("downscale?0.5").run(photo, seeded(0))
    assert parse_recipe("downscale").run(photo, seeded(0)).shape == (8, 3, 20, 24)


@pytest.mark.parametrize("x", [torch.rand(3, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)])
def test_other_tensors_are_refused(x: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="float tensor"):
        parse_recipe("noise").apply(x, seeded(0))


@pytest.mark.gpu
@pytest.mark.parametrize("text", [*OPERATORS, MIX])
def test_gpu(text: str, photo: torch.Tensor) -> None:
    recipe, x = parse_recipe(text), photo.cuda()
    first, again = (recipe.run(x, seeded(1)) for _ in range(2))
    assert first.device.type == "cuda"
    assert torch.equal(first, again)
    on_device = [recipe.run(x, torch.Generator("cuda").manual_seed(1)) for _ in range(2)]
    assert torch.equal(*on_device)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "text", ["blur", "blur(ratio=0.3)", "motion", "defocus", "resize", "jpeg", "lowlight", "banding"]
)
def test_gpu_agrees_with_cpu_where_no_pixels_are_drawn(text: str, photo: torch.Tensor) -> None:
    recipe = parse_recipe(text)
    here, there = recipe.apply(photo, seeded(1)), recipe.apply(photo.cuda(), seeded(1)).cpu()
    assert (here - there).square().mean().sqrt() * 255 < 1
