"""What a benchmark hands to a method: one degraded image, and the facts about it that a method may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

Kind = Literal["input", "ours", "peer"]


@dataclass(frozen=True)
class Case:
    """One image to restore.

    ``given`` is (1, 3, h, w), float; unclipped noise lies partly outside 0..1. ``size`` is the (H, W) of the result,
    larger than that of ``given`` only for super-resolution, where ``scale`` is 2, 3 or 4. ``facts`` is what a method
    that is not blind may be told: ``sigma`` (noise, in units of 8 bits), ``blur_sigma`` (pixels), ``quality`` (JPEG).
    """

    task: str
    given: Tensor
    size: tuple[int, int]
    scale: int | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """Something that restores: a row of the table.

    ``run`` returns (1, 3, H, W), float, with H and W as ``case.size`` says; the runner rounds it to 8 bits. ``note``
    says what the method is told and under which licence it comes. ``version`` names the code or weights (such as
    "bm3d 4.0.3"): a row of an earlier run is taken over only if it is the same.
    """

    name: str
    tasks: frozenset[str]
    run: Callable[[Case], Tensor]
    kind: Kind = "peer"
    note: str = ""
    version: str = ""
