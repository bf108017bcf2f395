"""The exam: the same crops in every run, from photos that training never sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from adair.degradations import parse_recipe
from adair.metrics import psnr
from adair.train.lessons import Lesson, lesson_of
from adair.train.photos import PhotoStore

EXAM_SIDE = 128  # pixels of a crop
EXAM_PHOTOS = 12
EXACT = 100.0  # dB that equal pictures count, in place of infinity: one level off in one pixel of a crop is 95
Exam = Mapping[str, tuple[Tensor, Tensor]]


def make_exam(
    photos: PhotoStore, recipes: Mapping[str, str | Lesson], device: torch.device
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return named (target, input) pairs, each (photos, 3, 128, 128): the centres of ``photos``.

    Args:
        photos: those that are held out.
        recipes: recipes as text, or other lessons, by name. What a lesson makes of more than 128 pixels a side (from
            every second one, say) is smaller than that where photos are, so that none is mirrored.
        device: where the exam is wanted.
    """
    smallest = min(min(shape) for shape in photos.shapes)
    exam = {}
    for name, given in recipes.items():
        lesson = lesson_of(parse_recipe(given)) if isinstance(given, str) else given
        side = EXAM_SIDE
        while side > 1 and lesson.reach(side) > max(side, smallest):
            side -= 1
        clean, degraded = lesson.pair(photos.centres(lesson.reach(side)), torch.Generator().manual_seed(0))
        exam[name] = (clean.to(device), degraded.to(device))
    return exam


@torch.no_grad()
def take_exam(exam: Exam, restore: Callable[[Tensor], Tensor]) -> tuple[dict[str, float], dict[str, float]]:
    """Return mean PSNR in dB by name (8-bit output, RGB): of what ``restore`` makes of the inputs, and of those.

    All figures are finite, so that they can be averaged, compared and written to JSON: equal pictures (a flat sky that
    a blur leaves as it was) count 100 dB, and a picture that holds NaN counts 0.
    """
    restored, before = {}, {}
    for name, (clean, degraded) in exam.items():
        before[name] = _mean(psnr(degraded.clamp(0, 1), clean))
        output = torch.cat([restore(piece) for piece in degraded.split(4)])
        restored[name] = _mean(psnr(output.clamp(0, 1).mul(255).round().div(255), clean))
    return restored, before


def _mean(decibels: Tensor) -> float:
    return float(decibels.nan_to_num(nan=0.0, posinf=EXACT).clamp(max=EXACT).mean())
