"""The kinds of adapter by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from adair.adapters.adapter import Adapter
from adair.adapters.conv import ConvAdapter
from adair.adapters.merge import MergeAdapter
from adair.errors import AdairError

KINDS: dict[str, Callable[..., Adapter]] = {"conv": ConvAdapter, "merge": MergeAdapter}


def empty_adapter(kind: str, model: nn.Module, options: Mapping[str, Any]) -> Adapter:
    """Make an adapter without memory for its values (on the "meta" device), whatever the options ask for.

    Raises:
        AdairError: an unknown kind, an unknown option, or a value out of range.
    """
    if kind not in KINDS:
        raise AdairError(f"unknown kind of adapter {kind!r}; known: {', '.join(KINDS)}")
    known = list(inspect.signature(KINDS[kind]).parameters)[1:]  # after the model
    for key in options:
        if key not in known:
            raise AdairError(f"{kind} adapter: unknown option {key!r}; known: {', '.join(known)}")
    with torch.device("meta"):
        return KINDS[kind](model, **options)
