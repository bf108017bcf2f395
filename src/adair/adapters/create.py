"""New adapters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from adair.adapters.adapter import Adapter
from adair.adapters.kinds import empty_adapter
from adair.adapters.size import options_within


def create_adapter(kind: str, model: nn.Module, generator: torch.Generator | None = None, **options: Any) -> Adapter:
    """Make a new adapter for a network; attached, it leaves the output bit-identical until it is trained.

    Args:
        kind: "conv" or "merge".
        model: the network (bare, not an `AdaptedModel`); it is only looked at.
        generator: source of the starting values, on the CPU; None draws the same ones every time.
        options: settings of the kind (`ConvAdapter`: reduction, sites; `MergeAdapter`: rank). With none at all, the
            largest adapter whose file stays within `BUDGET`.

    Raises:
        AdairError: an unknown kind, an unknown option, or a value out of range.
    """
    adapter = empty_adapter(kind, model, options or options_within(kind, model)).to_empty(device="cpu")
    adapter.initialise(generator or torch.Generator().manual_seed(0))
    return adapter
