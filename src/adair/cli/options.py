"""The options that both training commands share, and the settings that they set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Photos = Annotated[Path | None, typer.Option(help="Folder of clean photos, searched recursively.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file of settings; other options override it.")]
AverageSteps = Annotated[
    int | None, typer.Option(help="Horizon of the averaged weights, which are the result, in steps. [default: 1000]")
]
Unshuffle = Annotated[
    int | None,
    typer.Option(
        help="2: work at half the resolution, in less than a third of the time. [default: as what it starts from; 1]"
    ),
]
Steps = Annotated[int | None, typer.Option(help="Length of the run in steps.")]
Batch = Annotated[int | None, typer.Option(help="Patches a step.")]
Patch = Annotated[
    str | None,
    typer.Option(help="Side of a patch in pixels; progressive: 64,0.8:96 (96 from 80 % on). [default: 128]"),
]
LearningRate = Annotated[float | None, typer.Option(help="Highest learning rate.")]
Optimiser = Annotated[
    str | None, typer.Option(help="muon (with AdamW for weights that it does not suit), or adamw. [default: muon]")
]
Hold = Annotated[
    float | None, typer.Option(help="Fraction of the run before the learning rate falls, 0 to 1. [default: 0]")
]
ByTime = Annotated[
    str | None, typer.Option(help="steps, or time: the learning rate falls until --max-minutes. [default: steps]")
]
MaxMinutes = Annotated[float | None, typer.Option(help="Stop at a checkpoint after this time.")]
ValidateSteps = Annotated[int | None, typer.Option(help="Steps between validations.")]
Seed = Annotated[int | None, typer.Option(help="Seed of all randomness. [default: 0]")]
Texture = Annotated[
    float | None, typer.Option(help="Fraction of the patches that are the most textured of a few, 0 to 1. [default: 0]")
]
Shrink = Annotated[
    int | None, typer.Option(help="Also use large clean photos up to this many times smaller; 1: never. [default: 3]")
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the network first (torch.compile); takes minutes.")]
Exclude = Annotated[list[str] | None, typer.Option(help="Stem of a photo to skip; repeat for more.")]
Restart = Annotated[
    bool, typer.Option("--restart-schedule", help="Continue from the checkpoint with a new schedule of --steps steps.")
]
CheckpointMinutes = Annotated[float | None, typer.Option(help="Minutes between checkpoints. [default: 5]")]
CheckpointKeep = Annotated[int | None, typer.Option(help="Checkpoints to keep, the newest included. [default: 1]")]
CheckpointPartMb = Annotated[
    float | None, typer.Option(help="Split checkpoints into files of at most this size in MB.")
]
CheckpointPrecision = Annotated[
    str | None,
    typer.Option(help="fp32, or bf16: a third smaller, but resuming is not bit-identical. [default: fp32]"),
]
Tensorboard = Annotated[Path | None, typer.Option(help="Folder for TensorBoard curves.")]

# Flags whose setting in `TrainConfig` has another name, or is in a section.
SETTINGS = {
    "name": "task",
    **{flag: f"data.{flag}" for flag in ("photos", "pairs", "degraded_only", "recipe", "exclude", "cache")},
    **{flag: f"data.{flag}" for flag in ("texture", "shrink")},
    **{flag: f"network.{flag}" for flag in ("backbone", "width", "blocks", "foundation", "kind", "unshuffle")},
    **{flag: f"network.{flag}" for flag in ("start", "start_adapter", "fresh")},
    **{flag: f"schedule.{flag}" for flag in ("steps", "minutes", "max_minutes", "learning_rate", "hold")},
    **{flag: f"schedule.{flag}" for flag in ("patience", "validate_steps")},
    "schedule": "schedule.by",
    "optimiser": "optimiser.name",
    **{flag: f"optimiser.{flag}" for flag in ("batch", "patch", "average_steps")},
    **{f"checkpoint_{key}": f"checkpoint.{key}" for key in ("minutes", "keep", "part_mb", "precision")},
    **{flag: flag for flag in ("output", "seed", "device", "precision", "compile", "tensorboard")},
}
NOT_SETTINGS = {
    "config",
    "advise",
    "resume",
    "restart_schedule",
    "overwrite",
}  # flags of the call, not of the configuration


def settings_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, by dotted name, that flags set; flags that were not given (None, False, empty) set none."""
    return {SETTINGS[flag]: _setting(value) for flag, value in flags.items() if flag not in NOT_SETTINGS}


def _setting(value: Any) -> Any:
    value = tuple(value) if isinstance(value, list) else value
    return None if value is False or value == () else value
