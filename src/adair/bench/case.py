"""What a method receives: one degraded image, and the facts about it that a method may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

Kind = Literal["input", "ours", "baseline"]


@dataclass(frozen=True)
class Case:
    """One image to restore.

    ``given`` is (1, 3, h, w), float; unclipped noise lies partly outside 0..1. ``size`` is the (H, W) of the result,
    larger than that of ``given`` only for super-resolution, where ``scale`` is 2, 3 or 4. ``facts`` are parameters for
    methods that are not blind: ``sigma`` (noise, in units of 8 bits), ``blur_sigma`` (pixels), ``quality`` (JPEG).
    """

    suite: str
    given: Tensor
    size: tuple[int, int]
    scale: int | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """Something that restores images: a row of the table.

    ``suites`` are those whose images it can restore. ``run`` returns (1, 3, H, W), float, of the size ``case.size``;
    the runner rounds it to 8 bits. ``note`` states the facts that the method uses, and its licence. ``version`` names
    the code or weights (such as "bm3d 4.0.3"): a row of an earlier run is reused only if it is the same. ``enlarges``
    says whether a baseline restores low-resolution images, and no others.
    """

    name: str
    suites: frozenset[str]
    run: Callable[[Case], Tensor]
    kind: Kind = "baseline"
    note: str = ""
    version: str = ""
    enlarges: bool = False
