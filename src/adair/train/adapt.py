"""Adapting: train one adapter on a frozen foundation, for one degradation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adair.adapters import AdaptedModel, create_adapter, load_adapter, save_adapter
from adair.errors import AdairError
from adair.hardware import choose_device, tune_allocator
from adair.train.card import training_card
from adair.train.checks import GAIN, check_lesson, check_photos, verdict
from adair.train.early import mean
from adair.train.exam import EXAM_PHOTOS, Exam, make_exam, take_exam
from adair.train.lessons import Lesson, lesson_of
from adair.train.loop import Trainer, channels_last
from adair.train.page import write_pages
from adair.train.photos import PhotoStore
from adair.train.plan import Plan, Report
from adair.train.processes import Processes
from adair.train.selfsupervised import Neighbours
from adair.train.sheet import sample_rows
from adair.weights import Foundation, read_header


def checkpoint_of(output: Path) -> Path:
    """Return where the checkpoint of an adapter's training lies."""
    return output.with_suffix(".checkpoint.safetensors")


def train_adapter(
    task: str,
    foundation: Foundation,
    photos: PhotoStore,
    plan: Plan,
    output: Path,
    *,
    kind: str = "merge",
    options: Mapping[str, Any] | None = None,
    exam: Mapping[str, str | Lesson],
    start: Path | None = None,
    bundled: Mapping[str, Path] | None = None,
    begin_best: bool = False,
    scale: int = 1,
    device: str | None = None,
    resume: bool = False,
    restart: bool = False,
    watch: Callable[[Report], None] = lambda report: None,
    tell: Callable[[str], None] = lambda line: None,
    processes: Processes | None = None,
    record: Mapping[str, Any] | None = None,
) -> Report:
    """Train an adapter and write it to ``output``; its checkpoint lies beside it as ``<name>.checkpoint.safetensors``.

    Args:
        task: what the file calls its task.
        foundation: the frozen network; its weights are not touched.
        photos: clean photos, or what the plan's lesson needs; some are held out for validation. Of a single one, the
            lowest quarter is.
        plan: recipe (or another lesson), steps, optimiser, schedule and so on.
        output: the adapter file, written when the run ends or stops.
        kind: "merge" or "conv".
        options: of the kind; none: the largest that fits the size that bundled adapters may have.
        exam: recipes (or other lessons) to measure on held-out photos, by name.
        start: an adapter file of the same kind and options to begin from, instead of the identity.
        bundled: adapters of the same foundation, by task, to compare the result with.
        scale: by which the degraded pictures were enlarged (super-resolution); the card says so.
        begin_best: begin from the best of them, if it beats the foundation and is of the same kind.
        device: "cpu", "cuda", ... or None for the best at hand.
        resume: go on from the checkpoint.
        restart: begin a new schedule at the checkpoint.
        watch: called with the report after every step.
        tell: called with one line when something happens that a person should know.
        processes: those that train together, all with the same arguments.
        record: the configuration (`TrainConfig.to_dict`), kept in the checkpoint and compared on resuming.

    A sheet of held-out photos before and after and a page about the run are written beside the adapter, with the
    endings ``.sheet.png`` and ``.html``.

    Returns:
        The last report, with the results of the weights that are in the file.

    Raises:
        AdairError: for bad settings, too few photos, nothing to learn, a checkpoint of another run, or a disk that is
            full.
    """
    tune_allocator()
    target = choose_device(device)
    torch.manual_seed(plan.seed)
    model = channels_last(foundation.model.to(target))
    train, held_out = photos.split(min(EXAM_PHOTOS, max(1, len(photos) // 10)))
    lesson = lesson_of(plan.recipe)
    plan = replace(plan, recipe=check_lesson(train, lesson))
    warnings = check_photos(photos, train, held_out)
    questions = make_exam(held_out, exam, target)
    processes = processes or Processes()
    beside, going_on = {}, resume or restart
    if bundled is not None and not going_on:
        beside = processes.from_first(lambda: _compare(model, foundation, questions, bundled, plan))
        start = start or (_best(beside, bundled, kind, options) if begin_best else None)
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
    trainer = Trainer(
        adapted,
        dict(adapter.named_parameters()),
        plan,
        train,
        questions,
        checkpoint_of(output),
        {"foundation": foundation.fingerprint, "kind": kind, "options": adapter.options},
        watch,
        tell,
        processes,
        record,
    )
    if going_on:
        trainer.resume(restart)
    else:
        trainer.report.beside = beside
    if processes.first:
        for line in warnings:
            tell(f"note: {line}")
        if beside and not going_on:
            tell(
                "held-out photos: "
                + ", ".join(f"{name} {value:.2f} dB" for name, value in trainer.report.beside.items())
            )

    gain = 0.0 if isinstance(lesson, Neighbours) else GAIN

    def write(report: Report) -> None:
        card = training_card(plan, report, train, target)
        card["training"] |= earlier
        if scale > 1:
            card["scale"] = scale
        if isinstance(lesson, Neighbours):
            card["validation"]["protocol"] = f"{card['validation']['protocol']}; beside noisy targets, not clean ones"
        save_adapter(output, adapter, foundation_fingerprint=foundation.fingerprint, task=task, card=card)
        report.warnings[:] = warnings + verdict(report, gain)  # the list of the run's own report, too
        rows = sample_rows(held_out, lesson, trainer.restore, target)
        write_pages(output, task, card, report, rows)

    return trainer.run(write)


@torch.no_grad()
def _compare(
    model: nn.Module, foundation: Foundation, exam: Exam, bundled: Mapping[str, Path], plan: Plan
) -> dict[str, float]:
    """Mean PSNR of the foundation alone, and with each bundled adapter."""
    device = next(model.parameters()).device

    def run(network: nn.Module) -> float:
        with torch.autocast(device.type, plan.precision, enabled=plan.precision != torch.float32):
            return mean(take_exam(exam, lambda x: network(x).float())[0])

    found = {"foundation": run(model)}
    adapted = AdaptedModel(model)
    for name, path in bundled.items():
        try:
            adapted.attach(load_adapter(path, foundation).adapter)
        except AdairError:  # for another foundation: nothing to compare with
            continue
        adapted.merge()
        found[name] = run(adapted)
        adapted.detach()
    return found


def _best(
    beside: Mapping[str, float], bundled: Mapping[str, Path], kind: str, options: Mapping[str, Any] | None
) -> Path | None:
    """The bundled adapter to begin from: the best, if it is better than none."""
    best = max(beside, key=lambda name: beside[name])
    if options or best == "foundation" or beside[best] < beside["foundation"] + GAIN:
        return None
    same_kind = read_header(bundled[best]).metadata["adapter"]["kind"] == kind
    return bundled[best] if same_kind else None
