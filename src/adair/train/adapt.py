"""`adair.adapt`: train one adapter on a frozen foundation, for one degradation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from adair.adapters import AdaptedModel, Adapter, create_adapter, load_adapter, save_adapter
from adair.adapters.files import TASK_NAME
from adair.degradations import parse_recipe
from adair.errors import AdairError, InputError
from adair.tasks import BUNDLED, TASKS, Task, find_task
from adair.train.checkpoint import read_facts
from adair.train.config import NetworkConfig, TrainConfig
from adair.train.objectives import GivenPairs, Objective, SyntheticPairs
from adair.train.pairs import common_scale
from adair.train.photos import PhotoStore
from adair.train.processes import join_processes, stop_signals
from adair.train.report import pages_of, sample_rows, training_card, write_pages
from adair.train.run import Begin, Result, Run, config_of, open_run, refuse_settings
from adair.train.selfsupervised import SelfSupervised
from adair.train.settings import FOR_ADAPTER
from adair.train.state import Callback, TrainState
from adair.train.trainer import Trainer, channels_last
from adair.train.validation import (
    GAIN,
    NOT_MEASURED,
    ValidationSets,
    check_gain,
    check_objective,
    check_photos,
    evaluate,
    make_validation_sets,
    mean_psnr,
)
from adair.weights import Foundation, bundled_adapters, load_foundation, read_header
from adair.weights.header import unshuffle_facts

RESERVED = ("auto", "foundation")  # values of --task that are not adapters


def adapt(
    config: TrainConfig,
    *,
    resume: bool = False,
    restart_schedule: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Result:
    """Train an adapter on a frozen foundation.

    The adapter's configuration, checkpoint, sheet of example images and page are written next to it.

    Args:
        config: the configuration, with ``task`` and one of ``data.photos``, ``data.pairs``, ``data.degraded_only``.
        resume: continue from the checkpoint; settings that decide what a step learns must not change.
        restart_schedule: continue from the checkpoint with a new schedule, with any configuration.
        overwrite: replace an existing result.
        callbacks: called during the run.

    Raises:
        AdairError: settings that do not fit together, a result that exists, too few photos, nothing to learn, a
            checkpoint of another run, or a full disk.

    Example (``docs/training.md`` has one that runs)::

        adair.adapt(adair.TrainConfig(task="scanner", data={"pairs": ["scans", "originals"]}))
    """
    goal, begin = _goal(config), Begin(resume, restart_schedule, overwrite)
    output, processes = config.output or Path(f"{goal.name}.safetensors"), join_processes(config.device)
    begin.check(output, checkpoint_of(output), *pages_of(output), config_of(output))
    foundation = load_foundation(config.network.foundation)
    foundation.unshuffled(config.network.unshuffle)  # refused before photos are read
    cache = config.data.cache or output.parent / "cache"
    with open_run(config, goal.objective, FOR_ADAPTER, processes, cache, callbacks) as run:
        scale = _scale(run.photos, goal) if config.data.pairs else 1
        state = train_adapter(run, goal, begin, foundation, output, scale)
    if processes.first:
        config.write(config_of(output))
    return Result(output, state, goal.name, scale, processes.first, processes.count)


def checkpoint_of(output: Path) -> Path:
    """Return the path of the checkpoint of an adapter's training."""
    return output.with_suffix(".checkpoint.safetensors")


@dataclass(frozen=True)
class Goal:
    """What an adapter learns.

    Attributes:
        name: name of the task.
        task: its entry in the registry; None if the name is the user's own.
        objective: what a training step learns.
        validation: recipes or objectives that are measured on held-out photos, by name.
    """

    name: str
    task: Task | None
    objective: Objective
    validation: Mapping[str, str | Objective]


def _goal(config: TrainConfig) -> Goal:
    """Return the goal of a configuration, after checking that its settings fit together."""
    data = config.data
    refuse_settings(config, {"network": ("backbone", "width", "blocks", "start_adapter")}, "adapters")
    if sum(source is not None for source in (data.photos, data.pairs, data.degraded_only)) != 1:
        raise InputError("give one of --photos FOLDER (with --recipe), --pairs DEGRADED CLEAN, --degraded-only FOLDER")
    if data.recipe is not None and data.photos is None:
        raise InputError(f"--recipe {data.recipe}: needs --photos; pairs and noisy images are degraded already")
    if config.network.unshuffle is not None and config.network.kind != NetworkConfig().kind:
        raise InputError(f"--unshuffle {config.network.unshuffle}: needs --kind merge, which trains all layers")
    if config.task is None:
        raise InputError("an adapter needs the name of its task: adair adapt NAME, or task = in the configuration")
    task = find_task(config.task)
    name = task.name if task else config.task
    recipe = data.recipe or (task.recipe if task else None)
    if recipe is None and data.photos is not None:
        raise InputError(f"{name}: not a known task ({', '.join(TASKS)}); say what to undo with --recipe")
    if name in RESERVED or "." in name or not TASK_NAME.fullmatch(name):
        words = " or ".join(RESERVED)
        raise InputError(
            f"{name}: cannot be the name of a task; use up to 64 letters (a to z), digits, - and _, not {words}"
        )
    if data.pairs is not None:
        return Goal(name, task, GivenPairs(), {"pairs": GivenPairs()})
    if data.degraded_only is not None:
        return Goal(name, task, SelfSupervised(), {"noisy": SelfSupervised()})
    assert recipe is not None
    objective = SyntheticPairs(parse_recipe(recipe))
    own = task is None or data.recipe is not None
    return Goal(name, task, objective, {"recipe": objective} if own or task is None else dict(task.validation))


def _scale(photos: PhotoStore, goal: Goal) -> int:
    """Return how many times larger the clean images of pairs are."""
    scale = common_scale(photos)
    if scale > 1 and not (goal.task and goal.task.scales):
        only = f"{goal.name}: the clean images are {scale} times larger, but only task sr enlarges; name it sr (-o)"
        raise InputError(only)
    return scale


def train_adapter(
    run: Run, goal: Goal, begin: Begin, foundation: Foundation, output: Path, scale: int = 1
) -> TrainState:
    """Train and write an adapter: the part of `adapt` after its photos are open.

    Args:
        run: photos, settings and processes.
        goal: what is learnt and measured.
        begin: how the run begins.
        foundation: the frozen network; its weights are not changed.
        output: the adapter file.
        scale: factor by which the degraded images were enlarged (super-resolution), for the card.

    Returns:
        The state of the run, with the results of the weights in the file.
    """
    config, device, processes = run.config, run.device, run.processes
    torch.manual_seed(run.settings.seed)
    channels_last(foundation.model.to(device))
    settings = replace(run.settings, objective=check_objective(run.train, goal.objective))
    warnings = check_photos(run.photos, run.train, run.held_out)
    sets = make_validation_sets(run.held_out, goal.validation, device)
    bundled = bundled_adapters() if config.network.foundation is None else {}
    baselines: dict[str, float] = {}
    if not begin.from_checkpoint or begin.restart_schedule:  # which may have another recipe
        baselines = processes.from_first(_measure_baselines, foundation, sets, bundled, settings.precision)
    foundation = foundation.unshuffled(config.network.unshuffle)
    known = {} if begin.from_checkpoint else baselines
    start = config.network.start or _best_start(config, goal, known, bundled, foundation.unshuffle)
    adapter, origin = _first_adapter(foundation, config.network, start, run.settings.seed)
    if begin.from_checkpoint:  # one of an earlier version does not know it
        origin = read_facts(checkpoint_of(output)).get("continued_from", origin)
    adapter = adapter.to(device)
    adapted = AdaptedModel(channels_last(foundation.model))
    adapted.attach(adapter)
    facts = {
        "foundation": foundation.fingerprint,
        "kind": adapter.kind,
        "options": adapter.options,
        **unshuffle_facts(adapter.unshuffle),
    }
    trainer = Trainer(
        adapted,
        dict(adapter.named_parameters()),
        settings,
        run.train,
        sets,
        checkpoint_of(output),
        facts,
        run.callbacks,
        processes,
        config.to_dict(),
    )
    if begin.from_checkpoint:
        trainer.resume(begin.restart_schedule)
    trainer.facts["continued_from"] = origin  # for the card of a resumed run; it need not match
    if baselines:
        trainer.state = replace(trainer.state, baselines=baselines)
    for line in warnings:
        run.callbacks.on_message(f"note: {line}")
    if baselines:
        figures = ", ".join(f"{name} {value:.2f} dB" for name, value in baselines.items())
        run.callbacks.on_message(f"held-out photos: {figures}")
    noisy = isinstance(goal.objective, SelfSupervised)
    with stop_signals():
        trainer.train()
        with trainer.result() as state:
            found = [NOT_MEASURED, *check_gain(state, 0.0)] if noisy else check_gain(state)
            state = replace(state, warnings=(*warnings, *found))
            trainer.state = replace(trainer.state, warnings=state.warnings)
            if processes.first:
                card = training_card(settings, state, run.train, device)
                if origin:
                    card["training"]["continued_from"] = origin
                if scale > 1:
                    card["scale"] = scale
                if noisy:
                    card["validation"]["protocol"] += "; against noisy targets, not clean ones"
                mark = foundation.fingerprint
                save_adapter(output, adapter, foundation_fingerprint=mark, task=goal.name, card=card)
                rows = sample_rows(run.held_out, goal.objective, trainer.restore, device)
                write_pages(output, goal.name, card, state, rows, config.network.foundation)
    return state


def _first_adapter(
    foundation: Foundation, network: NetworkConfig, start: Path | None, seed: int
) -> tuple[Adapter, Mapping[str, Any] | None]:
    """Return the adapter that training starts from, and how it was trained itself, if it was."""
    if start is None:
        return create_adapter(network.kind, foundation.model, torch.Generator().manual_seed(seed)), None
    loaded = load_adapter(start, foundation)
    if loaded.adapter.kind != network.kind:
        raise AdairError(f"{start}: kind {loaded.adapter.kind}, not {network.kind}")
    if loaded.adapter.unshuffle != foundation.unshuffle:
        raise AdairError(f"{start}: has unshuffle {loaded.adapter.unshuffle}, not {foundation.unshuffle}")
    return loaded.adapter, loaded.card.get("training")


@torch.no_grad()
def measure_files(
    foundation: Foundation, sets: ValidationSets, files: Mapping[str, Path], precision: torch.dtype
) -> dict[str, dict[str, float]]:
    """Return the PSNR in dB on every set of the foundation alone and with each adapter that fits it, by name."""
    found = {"foundation": _psnr_of(foundation.model, sets, precision)}
    for name, path in files.items():
        try:
            adapter = load_adapter(path, foundation).adapter
        except AdairError:  # for another foundation: nothing to compare with
            continue
        adapted = AdaptedModel(foundation.unshuffled(adapter.unshuffle).model)
        adapted.attach(adapter)
        adapted.merge()
        found[name] = _psnr_of(adapted, sets, precision)
        adapted.detach()
    return found


def _measure_baselines(
    foundation: Foundation, sets: ValidationSets, bundled: Mapping[str, Path], precision: torch.dtype
) -> dict[str, float]:
    """Return the mean PSNR of the foundation alone, and with each bundled adapter."""
    return {name: mean_psnr(figures) for name, figures in measure_files(foundation, sets, bundled, precision).items()}


def _psnr_of(network: nn.Module, sets: ValidationSets, precision: torch.dtype) -> dict[str, float]:
    device = next(network.parameters()).device
    with torch.autocast(device.type, precision, enabled=precision != torch.float32):
        return evaluate(sets, lambda x: network(x).float())[0]


def _best_start(
    config: TrainConfig, goal: Goal, baselines: Mapping[str, float], bundled: Mapping[str, Path], unshuffle: int
) -> Path | None:
    """Return the best bundled adapter to start from, if it is better than none, and of the same kind and resolution."""
    remade = goal.name in BUNDLED and config.data.photos is not None and config.data.recipe is None
    if not baselines or remade or config.network.fresh:  # a bundled task is trained from scratch, like the first time
        return None
    best = max(baselines, key=lambda name: baselines[name])
    if best == "foundation" or baselines[best] < baselines["foundation"] + GAIN:
        return None
    made = read_header(bundled[best]).metadata["adapter"]
    fits = (made["kind"], made.get("unshuffle", 1)) == (config.network.kind, unshuffle)
    return bundled[best] if fits else None
