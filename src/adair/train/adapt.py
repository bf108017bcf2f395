"""Adapting: train one adapter on a frozen foundation, for one degradation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from adair.adapters import AdaptedModel, create_adapter, load_adapter, save_adapter
from adair.errors import AdairError
from adair.hardware import choose_device, tune_allocator
from adair.train.card import training_card
from adair.train.exam import EXAM_PHOTOS, make_exam
from adair.train.loop import Trainer, channels_last
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report
from adair.train.processes import Processes
from adair.weights import Foundation


def checkpoint_of(output: Path) -> Path:
    """Return where the checkpoint of an adapter's training lies."""
    return output.with_suffix(".checkpoint.safetensors")


def adapt(
    task: str,
    foundation: Foundation,
    photos: PhotoStore,
    plan: Plan,
    output: Path,
    *,
    kind: str = "merge",
    options: Mapping[str, Any] | None = None,
    exam: Mapping[str, str],
    start: Path | None = None,
    device: str | None = None,
    resume: bool = False,
    restart: bool = False,
    watch: Callable[[Report], None] = lambda report: None,
    tell: Callable[[str], None] = lambda line: None,
    processes: Processes | None = None,
) -> Report:
    """Train an adapter and write it to ``output``; its checkpoint lies beside it as ``<name>.checkpoint.safetensors``.

    Args:
        task: what the file calls its task.
        foundation: the frozen network; its weights are not touched.
        photos: clean photos; some are held out for validation.
        plan: recipe, steps, optimiser, schedule and so on.
        output: the adapter file, written when the run ends or stops.
        kind: "merge" or "conv".
        options: of the kind; none: the largest that fits the size that bundled adapters may have.
        exam: recipes to measure on held-out photos, by name.
        start: an adapter file of the same kind and options to begin from, instead of the identity.
        device: "cpu", "cuda", ... or None for the best at hand.
        resume: go on from the checkpoint.
        restart: begin a new schedule at the checkpoint.
        watch: called with the report after every step.
        tell: called with one line when something happens that a person should know.
        processes: those that train together, all with the same arguments.

    Returns:
        The last report.

    Raises:
        AdairError: for bad settings, too few photos, a checkpoint of another run, or a disk that is full.
    """
    tune_allocator()
    target = choose_device(device)
    torch.manual_seed(plan.seed)
    model = channels_last(foundation.model.to(target))
    earlier: dict[str, Any] = {}
    if start is None:
        adapter = create_adapter(kind, model, **(options or {}))
    else:
        loaded = load_adapter(start, foundation)
        adapter, earlier = loaded.adapter, {"continued_from": loaded.card.get("training")}
        if adapter.kind != kind or (options and adapter.options != dict(options)):
            raise AdairError(f"{start}: is of kind {adapter.kind} {adapter.options}, not {kind} {dict(options or {})}")
    adapter = adapter.to(target)
    adapted = AdaptedModel(model)
    adapted.attach(adapter)
    train, held_out = photos.split(min(EXAM_PHOTOS, max(1, len(photos) // 10)))
    trainer = Trainer(
        adapted,
        dict(adapter.named_parameters()),
        plan,
        train,
        make_exam(held_out, exam, target),
        checkpoint_of(output),
        {"foundation": foundation.fingerprint, "kind": kind, "options": adapter.options},
        watch,
        tell,
        processes,
    )
    if resume or restart:
        trainer.resume(restart)

    def write(report: Report) -> None:
        card = training_card(plan, report, train, target)
        card["training"] |= earlier
        save_adapter(output, adapter, foundation_fingerprint=foundation.fingerprint, task=task, card=card)

    return trainer.run(write)
