"""The exam: the same degraded crops in every run, from photos that training never sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from adair.degradations import parse_recipe
from adair.metrics import psnr
from adair.train.photos import PhotoStore

EXAM_SIDE = 128  # pixels of a crop
EXAM_PHOTOS = 12
Exam = Mapping[str, tuple[Tensor, Tensor]]


def make_exam(photos: PhotoStore, recipes: Mapping[str, str], device: torch.device) -> dict[str, tuple[Tensor, Tensor]]:
    """Return named (clean, degraded) pairs, each (photos, 3, 128, 128): the centres of ``photos``."""
    clean = photos.centres(EXAM_SIDE)
    exam = {}
    for name, text in recipes.items():
        degraded = parse_recipe(text).apply(clean, torch.Generator().manual_seed(0))
        exam[name] = (clean.to(device), degraded.to(device))
    return exam


@torch.no_grad()
def take_exam(exam: Exam, restore: Callable[[Tensor], Tensor]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean PSNR in dB by name (8-bit output, RGB): of what ``restore`` makes of the inputs, and of those."""
    restored, before = {}, {}
    for name, (clean, degraded) in exam.items():
        before[name] = float(psnr(degraded.clamp(0, 1), clean).mean())
        output = torch.cat([restore(piece) for piece in degraded.split(4)])
        restored[name] = float(psnr(output.clamp(0, 1).mul(255).round().div(255), clean).mean())
    return restored, before
