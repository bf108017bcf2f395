import pytest
import torch

from adair.degradations import parse_recipe
from adair.train.objectives import TILE, SyntheticPairs, ToneAndDetail

OBJECTIVE = SyntheticPairs(parse_recipe("haze()"))


def pattern(side: int = 32) -> torch.Tensor:
    """What upsampling can leave: the same few values in each tile, with a mean of zero."""
    tile = 0.02 * torch.randn(1, 3, TILE, TILE, generator=torch.Generator().manual_seed(0))
    return (tile - tile.mean((2, 3), keepdim=True)).clamp(-0.05, 0.05).repeat(1, 1, side // TILE, side // TILE)


def test_a_pattern_counts_though_the_tone_is_off() -> None:
    target = torch.full((1, 3, 32, 32), 0.5)
    off = target + 0.1
    gained = {
        objective: objective.loss(off + pattern(), target) - objective.loss(off, target)
        for objective in (OBJECTIVE, ToneAndDetail(OBJECTIVE))
    }
    assert gained[OBJECTIVE].abs() < 1e-3  # what was wrong: the plain loss does not see it
    assert gained[ToneAndDetail(OBJECTIVE)] == pytest.approx(float(pattern().abs().mean()), rel=0.05)


@pytest.mark.parametrize("side", [16, 24, 37])
def test_a_wrong_tone_counts_as_before_and_no_error_counts_nothing(side: int) -> None:
    target = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    assert ToneAndDetail(OBJECTIVE).loss(target, target) == 0
    assert ToneAndDetail(OBJECTIVE).loss(target - 0.2, target) == pytest.approx(0.2, rel=1e-4)
