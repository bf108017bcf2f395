"""Parts of an enlarged image are exactly the parts of the whole enlargement."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adair.degradations import resize
from adair.restore.region import LINES, enlarge, region


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_alpha_that_is_enlarged_in_strips_has_no_borders(scale: int) -> None:
    height = 2 * LINES // scale + 9
    alpha = np.random.default_rng(0).integers(0, 256, (height, 20), dtype=np.uint8)
    whole = resize(torch.from_numpy(alpha)[None, None].float(), (height * scale, 20 * scale), scale)[0, 0]
    result = enlarge(alpha, scale)
    assert result.shape[0] > 2 * LINES
    assert np.abs(result - whole.clamp(0, 255).numpy()).max() <= 0.501


def test_any_part_is_the_part_of_the_whole() -> None:
    image = np.random.default_rng(0).integers(0, 65536, (30, 40, 3), dtype=np.uint16)
    whole = region(image, 3, (0, 0, 90, 120), torch.device("cpu"))
    for top, left, bottom, right in ((0, 0, 7, 5), (11, 50, 80, 61), (89, 119, 90, 120)):
        part = region(image, 3, (top, left, bottom, right), torch.device("cpu"))
        torch.testing.assert_close(part, whole[..., top:bottom, left:right], atol=1e-6, rtol=0)
