"""The fastest runtime on this machine: measured once, checked against PyTorch, remembered per processor."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from adair import __version__
from adair.errors import AdairError
from adair.hardware import cpu_name
from adair.runtimes.protocol import Runtime

Load = Callable[[str], Runtime]

SIDE = 384  # of the tile that is timed, in pixels
TOLERANCE = 3 / 255  # from PyTorch in float32; bfloat16 rounds by a level or two


@dataclass(frozen=True)
class Measurement:
    """The measurement of a runtime on this machine.

    Attributes:
        runtime: its name.
        precision: what it computes in.
        seconds_per_megapixel: of the network alone.
        max_difference: from PyTorch in float32, in levels of 8 bits.
        same: whether that is within `TOLERANCE`.
    """

    runtime: str
    precision: str
    seconds_per_megapixel: float
    max_difference: float
    same: bool


def measure(
    names: Sequence[str], load: Load, network: Callable[[], nn.Module], rounds: int = 3
) -> tuple[list[Measurement], dict[str, str]]:
    """Time every runtime on one tile, in turn, so that a busy moment affects all of them.

    Args:
        names: of the runtimes.
        load: makes a runtime of a name.
        network: makes a copy of the network, float32, on the CPU.
        rounds: the best of so many counts.

    Returns:
        The measurements, fastest first, and why the others cannot run here.
    """
    generator = torch.Generator().manual_seed(0)
    tile = torch.rand(1, 3, SIDE, SIDE, generator=generator)
    with torch.inference_mode():
        expected = network()(tile).clamp(0, 1)
    sessions, reasons = {}, {}
    for name in names:
        try:
            runtime = load(name)
            sessions[name] = runtime, runtime.load(network())
        except AdairError as error:
            reasons[name] = str(error)
    differences = {
        name: float((session(tile.to(runtime.device)).cpu().clamp(0, 1) - expected).abs().max())
        for name, (runtime, session) in sessions.items()  # this warms up, too
    }
    seconds = dict.fromkeys(sessions, float("inf"))
    for _ in range(rounds):
        for name, (runtime, session) in sessions.items():
            start = time.perf_counter()
            session(tile.to(runtime.device)).cpu()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    found = [
        Measurement(
            name,
            sessions[name][0].precision.name,
            round(seconds[name] * 1e6 / SIDE**2, 3),
            round(differences[name] * 255, 3),
            differences[name] <= TOLERANCE,
        )
        for name in sessions
    ]
    return sorted(found, key=lambda one: one.seconds_per_megapixel), reasons


def remember(found: Sequence[Measurement]) -> None:
    """Store measurements for `fastest`; a cache that cannot be written is not an error."""
    path = _cache()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{path.name}.{os.getpid()}.part")
        aside.write_text(json.dumps({"machine": _machine(), "runtimes": [asdict(one) for one in found]}))
        aside.replace(path)


def fastest() -> str:
    """Return the fastest runtime that `remember` has stored and whose results equal PyTorch's; "torch" by default.

    Measurements on another processor, or with another version of AdaIR or PyTorch, are ignored.
    """
    try:
        kept = json.loads(_cache().read_text())
        if kept["machine"] == _machine():
            good = [Measurement(**one) for one in kept["runtimes"]]
            return next(one.runtime for one in good if one.same)
    except (OSError, ValueError, TypeError, KeyError, StopIteration):
        pass
    return "torch"


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "adair" / "runtimes.json"


def _machine() -> list[str]:
    return [cpu_name(), __version__, torch.__version__]
