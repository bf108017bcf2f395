"""From patches to a verdict: averages, levels, order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from adair.inspect import Estimator, Inspector
from adair.inspect.estimator import PATCH
from adair.tasks import DAMAGES


class Told(nn.Module):
    """Says what it was told, whatever it sees: log-odds and severity of each kind."""

    def __init__(self, odds: list[float], severity: list[float]) -> None:
        super().__init__()
        self.said = torch.tensor([odds]), torch.tensor([severity])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert x.ndim == 5 and x.shape[0] == 1 and x.shape[2:] == (3, PATCH, PATCH)
        return self.said


PIXELS = np.zeros((96, 192, 3), np.uint8)


def test_findings_come_most_probable_first_with_levels_in_peoples_units() -> None:
    told = Told([-2.0, 0.0, -3.0, 4.0, 1.0], [0.1, 0.2, 0.3, 0.5, 0.25])
    findings = Inspector(told).inspect(PIXELS)
    assert [finding.damage.name for finding in findings] == ["noise", "jpeg", "blur", "rain", "resize"]
    assert findings[0].probability == pytest.approx(1 / (1 + math.exp(-4)))
    assert [round(finding.level, 3) for finding in findings] == [27.5, 77.0, 0.7, 4.0, 1.9]
    assert findings[1].severity == pytest.approx(0.25)
    assert str(findings[0]) == "noise 27.5, 98%" and str(findings[1]) == "jpeg 77, 73%"


def test_levels_stay_in_the_range_of_the_training() -> None:
    for said, edge in ((-3.0, "none"), (7.0, "worst")):
        for finding in Inspector(Told([0.0] * 5, [said] * 5)).inspect(PIXELS):
            assert finding.level == pytest.approx(getattr(finding.damage, edge))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 200, 3), (97, 95, 1), (300, 400, 3)])
def test_every_image_gets_a_verdict_of_each_kind(estimator: Estimator, shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    findings = Inspector(estimator).inspect(pixels)
    assert {finding.damage for finding in findings} == set(DAMAGES)
    assert findings == Inspector(estimator).inspect(pixels)
    assert all(0 <= finding.probability <= 1 and math.isfinite(finding.level) for finding in findings)
