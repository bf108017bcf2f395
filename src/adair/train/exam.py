"""The exam: the same degraded crops in every run, from photos that training never sees."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from adair.degradations import parse_recipe
from adair.train.photos import PhotoStore

EXAM_SIDE = 128  # pixels of a crop
EXAM_PHOTOS = 12


def make_exam(photos: PhotoStore, recipes: Mapping[str, str], device: torch.device) -> dict[str, tuple[Tensor, Tensor]]:
    """Return named (clean, degraded) pairs, each (photos, 3, 128, 128): the centres of ``photos``."""
    clean = photos.centres(EXAM_SIDE)
    exam = {}
    for name, text in recipes.items():
        degraded = parse_recipe(text).apply(clean, torch.Generator().manual_seed(0))
        exam[name] = (clean.to(device), degraded.to(device))
    return exam
