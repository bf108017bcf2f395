"""Patterns that must not be taken for damage: drawn on the image, of every sort, the same for the same seed."""

from __future__ import annotations

import torch

from adair.inspect.patterns import draw_patterns


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
