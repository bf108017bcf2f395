"""The configuration of a training run: `TrainConfig`, from code, a TOML file or flags, checked on creation."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from adair.errors import InputError
from adair.images import write_whole


class Section:
    """A frozen dataclass that converts its values to their declared types, and refuses all others.

    Strings become paths and lists become tuples, as TOML files need it, and integers become floats; nothing else is
    converted.
    """

    FLAGS: ClassVar[Mapping[str, str]] = {}  # settings that messages call by their flag, because their name is another

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for part in fields(self):  # type: ignore[arg-type]
            shown = self.FLAGS.get(part.name, part.name)
            value = _convert(getattr(self, part.name), hints[part.name], part.name, shown)
            object.__setattr__(self, part.name, value)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Build a section from keys and values; ``where`` is the dotted name of the section, for messages.

        Raises:
            InputError: an unknown key (the nearest known one is named), or a value of the wrong type.
        """
        known = [part.name for part in fields(cls)]  # type: ignore[arg-type]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.0)[0]
                raise InputError(f"unknown setting {where}{key}; the nearest known one is {where}{near}")
        return cls(**values)


@dataclass(frozen=True)
class DataConfig(Section):
    """What to learn from.

    Attributes:
        photos: folder of clean photos, which ``recipe`` degrades.
        pairs: folder of degraded images, and folder of the same images without damage (adapters only).
        degraded_only: folder of noisy images, if there are no clean ones (adapters only).
        recipe: degradations to undo; None: those of the task, or the bundled mix for a foundation.
        exclude: stems of files to skip.
        cache: folder for decoded photos; None: ``cache`` next to the result.
        texture: fraction (0..1) of the patches that are the most textured of a few.
        shrink: large clean photos are also used up to this many times smaller; 1: never.
    """

    photos: Path | None = None
    pairs: tuple[Path, Path] | None = None
    degraded_only: Path | None = None
    recipe: str | None = None
    exclude: tuple[str, ...] = ()
    cache: Path | None = None
    texture: float = 0.0
    shrink: int = 3


@dataclass(frozen=True)
class NetworkConfig(Section):
    """What is trained, and its starting point.

    Attributes:
        backbone: "nafnet" or "restormer" (foundations only); None: that of ``start``, or "nafnet".
        width: channels at full resolution (foundations only).
        blocks: encoder/middle/decoder of a NAFNet, such as ``1,1,2,6/2/1,1,1,1``; of a Restormer, ``4,6,6,8``.
        foundation: foundation file that an adapter is for; None: the bundled one.
        kind: kind of adapter: "merge" (no cost at run time, can be blended) or "conv".
        start: file to start from: a foundation for a foundation, an adapter for an adapter.
        start_adapter: adapter to merge into ``start`` first (foundations only).
        fresh: start an adapter from the foundation alone, not from the best bundled adapter.
        unshuffle: the network works at 1/unshuffle of the resolution (1, 2 or 4), with 2 in under a third of the time.
            None: as ``start`` or the adapter's foundation does.
    """

    backbone: str | None = None
    width: int | None = None
    blocks: str | None = None
    foundation: Path | None = None
    kind: str = "merge"
    start: Path | None = None
    start_adapter: Path | None = None
    fresh: bool = False
    unshuffle: int | None = None


@dataclass(frozen=True)
class ScheduleConfig(Section):
    """How long, and with which learning rate.

    Attributes:
        steps: length of the run; None: 100,000 for a foundation, 10,000 for an adapter.
        minutes: length of the run in minutes, over all its calls, instead of ``steps``; the learning rate falls over
            this time.
        max_minutes: stop at a checkpoint after this many minutes of one call; resume to continue.
        by: "steps", or "time": the learning rate falls until ``max_minutes``.
        learning_rate: the highest; None: 0.001 for a foundation, 0.002 for an adapter.
        hold: fraction of the run (0..1) before the rate falls; 1: it never falls.
        patience: number of validations clearly below the best after which a run stops; 0: never. None: 0 for a
            foundation, 5 for an adapter.
        validate_steps: steps between validations; None: 500 for a foundation, 100 for an adapter.
    """

    FLAGS: ClassVar[Mapping[str, str]] = {"minutes": "--minutes", "max_minutes": "--max-minutes", "by": "--schedule"}

    steps: int | None = None
    minutes: float | None = None
    max_minutes: float | None = None
    by: Literal["steps", "time"] = "steps"
    learning_rate: float | None = None
    hold: float = 0.0
    patience: int | None = None
    validate_steps: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("minutes", "max_minutes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{self.FLAGS[name]} {value:g}: must be positive")
        if self.minutes is not None and self.steps is not None:
            raise InputError("--minutes and --steps: give one; each is the length of the run")
        if self.minutes is not None and self.max_minutes is not None:
            raise InputError(
                "--minutes and --max-minutes: give one; with --minutes, the learning rate falls over this time"
            )


@dataclass(frozen=True)
class OptimiserConfig(Section):
    """How a step is taken.

    Attributes:
        name: "muon" (with AdamW for parameters that it does not suit) or "adamw".
        batch: patches per step, over all processes; None: 8 for a foundation, 4 for an adapter.
        patch: side of a patch in pixels; progressive as ``64,0.8:96`` (96 from 80 % of the run on).
        weight_decay: fraction of a weight that a step with learning rate 1 subtracts.
        clip: largest norm of the gradient.
        average_steps: horizon of the moving average of the weights, in steps; this average is the result.
    """

    FLAGS: ClassVar[Mapping[str, str]] = {"name": "--optimiser"}

    name: Literal["muon", "adamw"] = "muon"
    batch: int | None = None
    patch: str = "128"
    weight_decay: float = 0.0
    clip: float = 1.0
    average_steps: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_patches(self.patch)
        if self.average_steps < 1:
            raise InputError(f"--average-steps {self.average_steps}: at least 1, which keeps the last weights")
        if self.weight_decay < 0 or self.clip <= 0:
            raise InputError(
                f"weight_decay {self.weight_decay} must not be negative, and clip {self.clip} must be positive"
            )


@dataclass(frozen=True)
class CheckpointConfig(Section):
    """How often and in which form checkpoints are written (see `adair.train.checkpoint.Saving`)."""

    FLAGS: ClassVar[Mapping[str, str]] = {
        key: f"--checkpoint-{key.replace('_', '-')}" for key in ("minutes", "keep", "part_mb", "precision")
    }

    minutes: float = 5.0
    keep: int = 1
    part_mb: float | None = None
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True)
class TrainConfig(Section):
    """The complete configuration of a training run, for `adair.adapt` and `adair.pretrain`.

    Sections may be given as dataclasses or as mappings.

    Attributes:
        task: name of the task (adapters only): a known one, with its recipe, or your own.
        output: for an adapter the file (default ``TASK.safetensors``), for a foundation the folder.
        data: what to learn from.
        network: what is trained, and its starting point.
        schedule: how long, and with which learning rate.
        optimiser: how a step is taken.
        checkpoint: how often and in which form checkpoints are written.
        seed: determines all randomness.
        device: "cpu", "cuda", ...; None: the best available.
        precision: "fp32", "bf16"; None: the fastest that is safe.
        compile: compile the network first (`torch.compile`).
        tensorboard: folder for TensorBoard curves.

    Raises:
        InputError: a value of the wrong type or out of range.

    >>> TrainConfig(task="denoise", data={"photos": "photos"}, schedule={"steps": 500}).schedule.steps
    500
    """

    task: str | None = None
    output: Path | None = None
    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    seed: int = 0
    device: str | None = None
    precision: str | None = None
    compile: bool = False
    tensorboard: Path | None = None

    @classmethod
    def read(cls, path: Path | str) -> TrainConfig:
        """Read a TOML file.

        Raises:
            InputError: it cannot be read, is not TOML, or contains an unknown setting or a bad value.
        """
        try:
            return cls.from_mapping(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: the configuration cannot be read ({error})") from error
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: not TOML: {error}") from error
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    def override(self, values: Mapping[str, Any]) -> TrainConfig:
        """Return a copy with other values, by dotted name (``schedule.steps``); None keeps a value."""
        changed: dict[str, Any] = {}
        for name, value in values.items():
            section, _, key = name.rpartition(".")
            if value is None:
                continue
            if section:
                changed[section] = replace(changed.get(section, getattr(self, section)), **{key: value})
            else:
                changed[key] = value
        return replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON, without values that are None."""
        found: dict[str, Any] = _plain(self)
        return found

    def write(self, path: Path) -> None:
        """Write a TOML file that `read` reads back as the same configuration."""
        values = self.to_dict()
        lines = [f"{key} = {_toml(value)}" for key, value in values.items() if not isinstance(value, dict)]
        for section, entries in values.items():
            if isinstance(entries, dict) and entries:
                lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in entries.items())]
        write_whole(path, ("\n".join(lines) + "\n").encode())


# Settings that decide what a step learns, and how; with them unchanged, a resumed run equals an uninterrupted one.
PINNED = (
    "seed",
    *(f"data.{key}" for key in ("recipe", "exclude", "texture", "shrink")),
    *(f"optimiser.{key}" for key in ("name", "batch", "patch", "weight_decay", "clip", "average_steps")),
)


def check_resumable(checkpoint: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume with a configuration that changes what a step learns (`PINNED`).

    Args:
        checkpoint: its file, for the message.
        before, now: configurations (`TrainConfig.to_dict`) of the checkpoint and of this run; either may be empty, as
            checkpoints of earlier versions have none.

    Raises:
        AdairError: a setting has changed.
    """
    for name in PINNED if before and now else ():
        section, _, key = name.rpartition(".")
        one, other = ((config.get(section, {}) if section else config).get(key) for config in (before, now))
        if one != other:
            was, given = ("(default)" if value is None else value for value in (one, other))
            raise InputError(
                f"{checkpoint}: was trained with {name} {was}, not {given}; use the same with --resume, or begin a new "
                "schedule with --restart-schedule"
            )


def parse_patches(text: str) -> tuple[tuple[float, int], ...]:
    """Read progressive patch sizes: ``64`` or ``64,0.5:96,0.8:128``. Each is a progress, 0..1, and a side.

    Raises:
        InputError: not in this form, or a progress outside 0..1.
    """
    pairs = []
    for part in text.split(","):
        start, _, side = part.rpartition(":")
        try:
            pair = (float(start or 0), int(side))
        except ValueError:
            raise InputError(
                f"--patch {text}: '{part}' is not a size such as 64 or a start and a size such as 0.8:96"
            ) from None
        if not 0 <= pair[0] <= 1:  # NaN, too
            raise InputError(f"--patch {text}: {start} is outside 0..1; it is the fraction of the run before the size")
        pairs.append(pair)
    return tuple(sorted(pairs))


def _convert(value: Any, hint: Any, name: str, shown: str) -> Any:
    """Return ``value`` as the declared type, or raise an `InputError` that calls the setting ``shown``."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return None if value is None else _convert(value, next(x for x in inner if x is not NoneType), name, shown)
    if origin is Literal:
        if value not in inner:
            raise InputError(f"{shown} {value}: choose {' or '.join(inner)}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        kinds = [inner[0]] * len(value) if inner[1] is Ellipsis else list(inner)
        if len(kinds) == len(value):
            return tuple(_convert(x, kind, name, shown) for x, kind in zip(value, kinds, strict=True))
    elif isinstance(hint, type) and issubclass(hint, Section) and isinstance(value, Mapping):
        return hint.from_mapping(value, f"{name}.")
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
        raise InputError(f"{shown} {value}: must be a finite number")
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    wanted = getattr(hint, "__name__", "list") if origin is None else "list"
    raise InputError(f"{shown} {value!r}: must be of type {wanted}")


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        found = {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
        return {key: entry for key, entry in found.items() if entry is not None}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _toml(value: Any) -> str:
    # JSON's strings, lists, numbers and booleans are also valid TOML, except for the character 0x7f.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
