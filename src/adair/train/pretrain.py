"""Pre-training: a foundation learns from clean photos alone to undo a random mix of synthetic degradations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adair.adapters import AdaptedModel, load_adapter
from adair.backbones import BACKBONES, build_backbone, complete_config
from adair.errors import AdairError
from adair.hardware import choose_device, tune_allocator
from adair.train.card import training_card
from adair.train.exam import EXAM_PHOTOS, make_exam
from adair.train.lessons import Lesson
from adair.train.loop import Trainer, channels_last
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report
from adair.train.processes import Processes
from adair.weights import Foundation, load_foundation, save_foundation

Weights = dict[str, torch.Tensor]


def train_foundation(
    photos: PhotoStore,
    plan: Plan,
    folder: Path,
    *,
    backbone: str | None = None,
    config: Mapping[str, Any] | None = None,
    exam: Mapping[str, str | Lesson],
    start: Path | None = None,
    start_adapter: Path | None = None,
    device: str | None = None,
    resume: bool = False,
    restart: bool = False,
    watch: Callable[[Report], None] = lambda report: None,
    tell: Callable[[str], None] = lambda line: None,
    processes: Processes | None = None,
    record: Mapping[str, Any] | None = None,
) -> tuple[Path, Report]:
    """Pre-train a foundation; write ``checkpoint.safetensors`` and ``foundation.safetensors`` into ``folder``.

    Args:
        photos: clean photos; some are held out for validation.
        plan: recipe, steps, schedule and so on.
        folder: where the run lives.
        backbone: its name, "nafnet" or "restormer"; None: that of ``start``, else "nafnet".
        config: its settings, over those of ``start`` or the defaults.
        exam: recipes (or other lessons) to measure on held-out photos, by name.
        start: a foundation to begin from, in place of random weights: of the same shape, or a NAFNet to grow from
            (`adair.backbones.grow`).
        start_adapter: an adapter of it to merge into it first.
        device: "cpu", "cuda", ... or None for the best at hand.
        resume: go on from the checkpoint in ``folder``.
        restart: begin a new schedule at that checkpoint.
        watch: called with the report after every step.
        tell: called with one line when something happens that a person should know.
        processes: those that train together, all with the same arguments.
        record: the configuration (`TrainConfig.to_dict`), kept in the checkpoint and compared on resuming.

    Returns:
        The foundation's path and the last report.

    Raises:
        AdairError: for bad settings, too few photos, a checkpoint of another model, or a disk that is full.
    """
    tune_allocator()
    target = choose_device(device)
    begin = None if start is None else load_foundation(start)
    if begin is None and start_adapter is not None:
        raise AdairError(f"{start_adapter}: --start-adapter needs --start, the foundation that it is for")
    backbone = backbone or (begin.backbone if begin else "nafnet")
    settings = complete_config(backbone, {**(begin.config if begin else {}), **(config or {})})
    torch.manual_seed(plan.seed)
    model = channels_last(build_backbone(backbone, settings).to(target))
    if begin is not None:
        weights = _merged(begin, start_adapter)
        if (begin.backbone, begin.config) != (backbone, settings):
            try:
                weights = _grown(begin, weights, model, plan.seed)
            except AdairError as error:
                raise AdairError(f"{start}: is a {begin.backbone} {begin.config}: {error}") from error
        model.load_state_dict(weights)
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
        tell,
        processes,
        record,
    )
    if resume or restart:
        trainer.resume(restart)
    path = folder / "foundation.safetensors"

    def write(report: Report) -> None:
        card = training_card(plan, report, train, target)
        if begin is not None:
            card["training"]["continued_from"] = begin.card.get("training")
        save_foundation(path, backbone, settings, {k: v.float().cpu() for k, v in model.state_dict().items()}, card)

    return path, trainer.run(write)


def _merged(foundation: Foundation, adapter: Path | None) -> Weights:
    """Return the weights of a foundation, with an adapter folded into them."""
    if adapter is not None:
        loaded = load_adapter(adapter, foundation).adapter
        if loaded.branches():
            raise AdairError(f"{adapter}: a {loaded.kind} adapter cannot be merged; give one of kind merge")
        adapted = AdaptedModel(foundation.model)
        adapted.attach(loaded)
        adapted.merge()
    return dict(foundation.model.state_dict())


def _grown(begin: Foundation, weights: Weights, model: nn.Module, seed: int) -> Weights:
    """Return the weights of a foundation for a larger ``model``, which then computes the same."""
    entry = BACKBONES[begin.backbone]
    if entry.grow is None or not isinstance(model, entry.network):
        able = ", ".join(name for name, one in BACKBONES.items() if one.grow is not None)
        raise AdairError(f"it can grow only within one backbone, and only if that is one of {able}")
    return entry.grow(weights, model, torch.Generator().manual_seed(seed))
