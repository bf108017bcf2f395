"""`adair.pretrain`: a foundation learns from clean photos alone to undo a random mix of synthetic degradations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adair.adapters import AdaptedModel, load_adapter
from adair.backbones import BACKBONES, build_backbone, complete_config, parse_shape
from adair.degradations import parse_recipe
from adair.errors import AdairError, InputError
from adair.tasks import MIX, MIX_VALIDATION
from adair.train.checkpoint import read_facts
from adair.train.config import NetworkConfig, TrainConfig
from adair.train.objectives import Objective, SyntheticPairs
from adair.train.processes import join_processes, stop_signals
from adair.train.report import training_card
from adair.train.run import Begin, Result, Run, config_of, open_run, refuse_settings
from adair.train.settings import FOR_FOUNDATION
from adair.train.state import Callback, TrainState
from adair.train.trainer import Trainer, channels_last
from adair.train.validation import make_validation_sets
from adair.weights import Foundation, load_foundation, save_foundation
from adair.weights.header import unshuffle_facts

Weights = dict[str, torch.Tensor]


def pretrain(
    config: TrainConfig,
    *,
    resume: bool = False,
    restart_schedule: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Pre-train a foundation on clean photos by undoing random degradations.

    ``foundation.safetensors``, its configuration and ``checkpoint.safetensors`` are written into ``config.output``.

    Args:
        config: the configuration; it needs ``data.photos`` and ``output``.
        resume: continue from the checkpoint; settings that decide what a step learns must not change.
        restart_schedule: continue from the checkpoint with a new schedule, with any configuration.
        overwrite: replace an existing result.
        callbacks: called during the run.

    Raises:
        AdairError: as `adair.adapt`, or a start that cannot be grown to the requested shape.
    """
    data, network = config.data, config.network
    others = {"": ("task",), "data": ("pairs", "degraded_only"), "network": ("foundation",)}
    refuse_settings(config, others, "foundations")
    if network.fresh or network.kind != NetworkConfig().kind:
        raise InputError("network.kind and network.fresh: are for adapters (adair adapt)")
    if data.photos is None or config.output is None:
        raise InputError("pre-training needs --photos FOLDER and --output FOLDER")
    begin, processes, folder = Begin(resume, restart_schedule, overwrite), join_processes(config.device), config.output
    output = folder / "foundation.safetensors"
    begin.check(output, _checkpoint_of(output), config_of(output))
    start = _start(network)
    before = _before(start, _facts(output, begin))
    shape = parse_shape(_backbone(network, before), network.width, network.blocks)  # refused before photos are read
    validation: Mapping[str, str | Objective] = {"recipe": data.recipe} if data.recipe else MIX_VALIDATION
    objective = SyntheticPairs(parse_recipe(data.recipe or MIX))
    with open_run(config, objective, FOR_FOUNDATION, processes, data.cache or folder / "cache", callbacks) as run:
        state = train_foundation(run, validation, begin, start, shape, output)
    if processes.first:
        config.write(config_of(output))
    return Result(output, state, first=processes.first, processes=processes.count)


def train_foundation(
    run: Run,
    validation: Mapping[str, str | Objective],
    begin: Begin,
    start: Foundation | None,
    shape: Mapping[str, Any],
    output: Path,
) -> TrainState:
    """Train and write a foundation: the part of `pretrain` after its photos are open.

    Args:
        run: photos, settings and processes.
        validation: recipes or objectives that are measured on held-out photos, by name.
        begin: how the run begins.
        start: the foundation to start from.
        shape: settings of the backbone that differ from those of the start, or from its defaults.
        output: the foundation file; the checkpoint is next to it.

    Returns:
        The state of the run, with the results of the weights in the file.
    """
    config, network = run.config, run.config.network
    facts = _facts(output, begin)
    before = _before(start, facts)
    backbone = _backbone(network, before)
    settings = complete_config(backbone, {**before.get("config", {}), **shape})
    unshuffle = before.get("unshuffle", 1) if network.unshuffle is None else network.unshuffle
    origin = facts.get("continued_from") if facts else before.get("continued_from")
    torch.manual_seed(run.settings.seed)
    model = channels_last(build_backbone(backbone, settings, unshuffle).to(run.device))
    if start is not None:
        start = start.unshuffled(unshuffle)
        weights = _merged(start, network.start_adapter)
        if (start.backbone, start.config) != (backbone, settings):
            try:
                weights = _grown(start, weights, model, run.settings.seed)
            except AdairError as error:
                raise AdairError(f"{network.start}: is a {start.backbone} {start.config}: {error}") from error
        model.load_state_dict(weights)
    trainer = Trainer(
        model,
        dict(model.named_parameters()),
        run.settings,
        run.train,
        make_validation_sets(run.held_out, validation, run.device),
        _checkpoint_of(output),
        {
            "backbone": backbone,
            "config": settings,
            **unshuffle_facts(unshuffle),
            **({"continued_from": origin} if origin else {}),
        },
        run.callbacks,
        run.processes,
        config.to_dict(),
    )
    if begin.from_checkpoint:
        trainer.resume(begin.restart_schedule)
    with stop_signals():
        trainer.train()
        with trainer.result() as state:
            if run.processes.first:
                card = training_card(run.settings, state, run.train, run.device)
                if origin := origin or before.get("continued_from"):  # checkpoints of version 0.1 do not know it
                    card["training"]["continued_from"] = origin
                tensors = {name: value.float().cpu() for name, value in model.state_dict().items()}
                save_foundation(output, backbone, settings, tensors, card, unshuffle=unshuffle)
    return state


def _checkpoint_of(output: Path) -> Path:
    return output.with_name("checkpoint.safetensors")


def _facts(output: Path, begin: Begin) -> dict[str, Any]:
    """Return the facts of the checkpoint that a run continues from; none if it begins."""
    return read_facts(_checkpoint_of(output)) if begin.from_checkpoint else {}


def _start(network: NetworkConfig) -> Foundation | None:
    """Return the foundation that training starts from."""
    if network.start is not None:
        return load_foundation(network.start)
    if network.start_adapter is not None:
        needs = f"{network.start_adapter}: --start-adapter needs --start, the foundation that it belongs to"
        raise AdairError(needs)
    return None


def _before(start: Foundation | None, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return backbone, shape and origin of the start, or what the checkpoint's ``facts`` say of them."""
    if start is None:
        return facts
    return {
        "backbone": start.backbone,
        "config": start.config,
        "unshuffle": start.unshuffle,
        "continued_from": start.card.get("training"),
    }


def _backbone(network: NetworkConfig, before: Mapping[str, Any]) -> str:
    """Return the name of the backbone: the requested one, or that of the start (`_before`)."""
    return str(network.backbone or before.get("backbone", "nafnet"))


def _merged(foundation: Foundation, adapter: Path | None) -> Weights:
    """Return the weights of a foundation, with an adapter merged into them."""
    if adapter is not None:
        loaded = load_adapter(adapter, foundation).adapter
        if loaded.branches():
            raise AdairError(f"{adapter}: a {loaded.kind} adapter cannot be merged; use one of kind merge")
        if loaded.unshuffle != foundation.unshuffle:
            raise AdairError(f"{adapter}: has unshuffle {loaded.unshuffle}, not {foundation.unshuffle}")
        adapted = AdaptedModel(foundation.model)
        adapted.attach(loaded)
        adapted.merge()
    return dict(foundation.model.state_dict())


def _grown(start: Foundation, weights: Weights, model: nn.Module, seed: int) -> Weights:
    """Return the weights of a foundation for a larger ``model``, which then computes the same."""
    entry = BACKBONES[start.backbone]
    if entry.grow is None or not isinstance(model, entry.network):
        able = ", ".join(name for name, one in BACKBONES.items() if one.grow is not None)
        raise AdairError(f"it can grow only within one backbone, and only if that is one of {able}")
    return entry.grow(weights, model, torch.Generator().manual_seed(seed))
