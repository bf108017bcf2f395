"""Rain, haze, low light, banding, scratches and holes: their figures, as far as they have any."""

from __future__ import annotations

import math

import pytest
import torch

from adair.degradations import parse_recipe


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dark(side: int = 160, level: float = 0.0, count: int = 1) -> torch.Tensor:
    return torch.full((count, 3, side, side), level)


def main_direction(x: torch.Tensor) -> float:
    """Direction of the streaks of one image, in degrees from upright, from its gradients."""
    gray = x.mean(dim=0)
    down, right = gray[2:, 1:-1] - gray[:-2, 1:-1], gray[1:-1, 2:] - gray[1:-1, :-2]
    across = 0.5 * math.atan2(2 * (right * down).sum(), (right.square() - down.square()).sum())
    return -math.degrees(across)  # gradients run across the streak


@pytest.mark.parametrize("angle", [-40, -10, 0, 25])
def test_rain_falls_at_its_angle(angle: int) -> None:
    x = parse_recipe(f"rain(angle={angle}, length=40, width=2, haze=0)").apply(dark(), seeded())
    assert main_direction(x[0]) == pytest.approx(angle, abs=7)  # the far layer leans up to 5 degrees otherwise


def test_more_rain_covers_more() -> None:
    covered = [
        (parse_recipe(f"rain(amount={amount}, haze=0, brightness=0.8)").apply(dark(), seeded()) > 0.1).float().mean()
        for amount in (0.02, 0.1, 0.3)
    ]
    assert 0.005 < covered[0] < covered[1] < covered[2] < 0.6
    assert covered[2] > 0.15


def test_rain_only_brightens_and_a_screen_spares_highlights() -> None:
    x = dark(64, 0.9, 4)
    burnt = {}
    for blend in ("add", "screen"):
        worse = parse_recipe(f"rain(haze=0, amount=0.2, brightness=0.5, blend={blend})").apply(x, seeded())
        assert (worse >= x - 0.5 / 255).all()
        assert worse.mean() > x.mean()
        burnt[blend] = (worse == 1).float().mean()
    assert burnt["add"] > 0.05
    assert burnt["screen"] < 0.01


@pytest.mark.parametrize(("drawn", "times"), [(0.0, (1.0, 1.0, 1.0)), (1.0, (0.5, 0.6, 0.55))], ids=["near", "far"])
def test_far_streaks_are_shorter_finer_and_fainter(
    drawn: float, times: tuple[float, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single streak, by the one place that is drawn."""

    def one_place(*size: int, **_: object) -> torch.Tensor:
        places = torch.full(size, 0.5)
        places[:, 30, 30] = drawn
        return places

    monkeypatch.setattr(torch, "rand", one_place)
    x = parse_recipe("rain(amount=0.05, angle=0, length=40, width=6, brightness=0.8, haze=0)").apply(dark(), seeded())
    streak = x[0, 0] > x.max() / 2
    length, width, brightness = times
    assert x.max().item() == pytest.approx(0.8 * brightness, abs=1 / 255)
    assert int(streak.any(dim=1).sum()) == pytest.approx(40 * length, abs=1)
    assert int(streak.any(dim=0).sum()) == pytest.approx(6 * width, abs=1)


def test_rain_adds_the_light_of_both_layers() -> None:
    x = parse_recipe("rain(amount=0.2, length=20, width=3, brightness=0.3, haze=0)").apply(dark(count=60), seeded())
    near = 0.2 * 0.3 * 0.65 * 0.98  # covered, brightest, mean strength of seeds, volume of a streak / (length * width)
    assert x.mean().item() == pytest.approx(near * (1 + 0.6 * 0.55), rel=0.03)


def test_rain_on_a_patch_is_not_cut_at_its_border() -> None:
    x = parse_recipe("rain(amount=0.3, haze=0)").apply(dark(48, count=40), seeded())
    middle, border = x[..., 12:36, 12:36].mean(), torch.cat([x[..., :3, :], x[..., -3:, :]]).mean()
    assert border == pytest.approx(middle.item(), rel=0.25)


def test_even_haze_is_koschmieders() -> None:
    x = dark(16, 0.3)
    hazy = parse_recipe("haze(thickness=0.7, airlight=0.9, unevenness=0)").apply(x, seeded())
    clear = math.exp(-0.7)
    assert hazy.mean().item() == pytest.approx(0.3 * clear + 0.9 * (1 - clear), abs=1 / 255)
    assert hazy.min() == hazy.max()


def test_uneven_haze_is_thicker_at_the_top() -> None:
    hazy = parse_recipe("haze(thickness=1, airlight=1, unevenness=1)").apply(dark(64, 0.2, 30), seeded())
    assert hazy[:, :, :16].mean() > hazy[:, :, -16:].mean() + 0.2


def test_low_light_scales_linear_light() -> None:
    x = dark(8, 0.8)
    worse = parse_recipe("lowlight(exposure=0.1)").apply(x, seeded())
    assert worse.mean().item() ** 2.2 == pytest.approx(0.1 * 0.8**2.2, rel=0.02)


@pytest.mark.parametrize("levels", [2, 8, 31])
def test_banding_leaves_so_many_levels(levels: int) -> None:
    ramp = torch.linspace(0, 1, 1000).view(1, 1, 1, -1)
    assert len(parse_recipe(f"banding(levels={levels})").apply(ramp, seeded()).unique()) == levels


def test_scratches_are_thin_upright_and_few() -> None:
    x = dark(128, 0.5, 30)
    worse = parse_recipe("scratches(count=3, width=1, tilt=5, strength=1)").apply(x, seeded())
    touched = ((worse - x).abs() > 0.1).float()
    share = touched.mean(dim=(1, 2, 3))
    assert share.max() < 0.08
    assert (share > 0).float().mean() > 0.9
    # A column holds much of a scratch, a row hardly any.
    assert touched.mean(dim=2).amax() > 4 * touched.mean(dim=3).amax()


def test_holes_are_even_blotches_of_about_their_radius() -> None:
    x = dark(96, 0.5, 20)
    touched = ((parse_recipe("holes(count=1, radius=10)").apply(x, seeded()) - x).abs() > 0.02).float()
    area = touched.mean(dim=1).sum(dim=(1, 2))
    assert area.max() < math.pi * 14**2
    assert area.median() > 40
