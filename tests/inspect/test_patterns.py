"""Patterns that must not be taken for damage: drawn on the image, of every sort, the same for the same seed."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from adair.inspect.patterns import _fur, draw_patterns


def test_every_image_gets_a_pattern_on_top_of_what_it_shows() -> None:
    clean = torch.rand((64, 3, 64, 80), generator=torch.Generator().manual_seed(2))
    drawn, level = draw_patterns(clean, torch.Generator().manual_seed(1))
    assert drawn.shape == clean.shape and torch.equal(level, torch.zeros(64))
    assert drawn.min() >= 0 and drawn.max() <= 1
    changed = (drawn != clean).any(1).float().mean((1, 2))
    assert (changed > 0).all()
    assert (changed < 0.5).any() and (changed > 0.9).any()  # wires and letters, stripes and lattices
    again, _ = draw_patterns(clean, torch.Generator().manual_seed(1))
    assert torch.equal(again, drawn)


def test_fur_is_smooth_along_its_strands_and_rough_across_them() -> None:
    for seed in range(8):
        fur = _fur(96, 112, torch.Generator().manual_seed(seed))
        assert fur.shape == (96, 112) and fur.min() >= 0 and fur.max() <= 1 and fur.std() > 0.1
        down, right = (difference[1:-1, 1:-1] for difference in torch.gradient(fur))
        # Coherence of the structure tensor in windows of 8 pixels: 1 for strands, about 0.2 for white noise.
        xx, yy, xy = (F.avg_pool2d(product[None], 8)[0] for product in (right * right, down * down, right * down))
        coherence = ((xx - yy).square() + 4 * xy.square()).sqrt() / (xx + yy).clamp(min=1e-9)
        assert coherence.median() > 0.6
