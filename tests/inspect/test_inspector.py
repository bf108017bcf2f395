"""From patches to a verdict: averages, levels, order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adair.inspect import KINDS, Estimator, Inspector


class Told(nn.Module):
    """Says what it was told, whatever it sees: odds and severity (patches, 5)."""

    def __init__(self, odds: Tensor, severity: Tensor) -> None:
        super().__init__()
        self.said = odds, severity

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.said


PIXELS = np.zeros((96, 192, 3), np.uint8)


def test_findings_come_most_probable_first_with_levels_in_peoples_units() -> None:
    odds = torch.tensor([[-2.0, 0.0, -3.0, 4.0, 1.0]] * 2)
    severity = torch.tensor([[0.1, 0.2, 0.3, 0.5, 0.25]] * 2)
    findings = Inspector(Told(odds, severity)).inspect(PIXELS)
    assert [finding.kind.name for finding in findings] == ["noise", "jpeg", "blur", "rain", "resize"]
    assert findings[0].probability == pytest.approx(1 / (1 + math.exp(-4)))
    assert [round(finding.level, 3) for finding in findings] == [27.5, 77.0, 0.7, 4.0, 1.9]
    assert findings[1].severity == pytest.approx(0.25)
    assert str(findings[0]) == "noise 27.5, 98%" and str(findings[1]) == "jpeg 77, 73%"


def test_a_patch_that_shows_nothing_changes_neither_side() -> None:
    sure, blank = torch.full((1, 5), 6.0), torch.zeros(1, 5)
    levels = torch.cat([torch.full((1, 5), 0.8), torch.full((1, 5), 0.4)])
    up = Inspector(Told(torch.cat([sure, blank]), levels)).inspect(PIXELS)
    down = Inspector(Told(torch.cat([-sure, blank]), levels)).inspect(PIXELS)
    assert all(finding.probability > 0.9 for finding in up) and all(finding.probability < 0.1 for finding in down)
    # The sure patch has twice the weight of the one that knows nothing.
    assert up[0].severity == pytest.approx((0.8 + 0.4 * 0.5) / 1.5, abs=0.01)


def test_levels_stay_in_the_range_of_the_training() -> None:
    odds = torch.zeros(2, 5)
    for said, edge in ((-3.0, "none"), (7.0, "worst")):
        for finding in Inspector(Told(odds, torch.full((2, 5), said))).inspect(PIXELS):
            assert finding.level == pytest.approx(getattr(finding.kind, edge))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 200, 3), (97, 95, 1), (300, 400, 3)])
def test_every_image_gets_a_verdict_of_each_kind(estimator: Estimator, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    findings = Inspector(estimator).inspect(pixels)
    assert {finding.kind for finding in findings} == set(KINDS)
    assert findings == Inspector(estimator).inspect(pixels)
    assert all(0 <= finding.probability <= 1 and math.isfinite(finding.level) for finding in findings)
