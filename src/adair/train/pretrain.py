"""Pre-training: a foundation learns from clean photos alone to undo a random mix of synthetic degradations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from adair.backbones import build_backbone, complete_config
from adair.hardware import choose_device, tune_allocator
from adair.train.card import training_card
from adair.train.exam import EXAM_PHOTOS, make_exam
from adair.train.loop import Plan, Report, Trainer, channels_last
from adair.train.photos import PhotoStore
from adair.weights import save_foundation


def pretrain(
    photos: PhotoStore,
    plan: Plan,
    folder: Path,
    *,
    backbone: str = "nafnet",
    config: Mapping[str, Any] | None = None,
    exam: Mapping[str, str],
    device: str | None = None,
    resume: bool = False,
    watch: Callable[[Report], None] = lambda report: None,
) -> tuple[Path, Report]:
    """Pre-train a foundation; write ``checkpoint.safetensors`` and ``foundation.safetensors`` into ``folder``.

    Args:
        photos: clean photos; some are held out for validation.
        plan: recipe, steps, schedule and so on.
        folder: where the run lives.
        backbone: its name, "nafnet" or "restormer".
        config: its settings, over the defaults.
        exam: recipes to measure on held-out photos, by name.
        device: "cpu", "cuda", ... or None for the best at hand.
        resume: go on from the checkpoint in ``folder``.
        watch: called with the report after every step.

    Returns:
        The foundation's path and the last report.

    Raises:
        AdairError: for bad settings, too few photos, a checkpoint of another model, or a disk that is full.
    """
    tune_allocator()
    target = choose_device(device)
    settings = complete_config(backbone, config)
    torch.manual_seed(plan.seed)
    model = channels_last(build_backbone(backbone, settings).to(target))
    train, held_out = photos.split(min(EXAM_PHOTOS, max(1, len(photos) // 10)))
    trainer = Trainer(
        model,
        dict(model.named_parameters()),
        plan,
        train,
        make_exam(held_out, exam, target),
        folder / "checkpoint.safetensors",
        {"backbone": backbone, "config": settings},
        watch,
    )
    if resume:
        trainer.resume()
    report = trainer.run()
    path = folder / "foundation.safetensors"
    card = training_card(plan, report, train, target)
    save_foundation(path, backbone, settings, {k: v.float().cpu() for k, v in trainer.average.items()}, card)
    return path, report
