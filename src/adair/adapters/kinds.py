"""The kinds of adapter by name: new adapters, and the largest whose file stays within a number of bytes."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from adair.adapters.adapter import Adapter, Fits
from adair.adapters.conv import ConvAdapter
from adair.adapters.merge import MergeAdapter
from adair.errors import AdairError

KINDS: dict[str, type[Adapter]] = {"conv": ConvAdapter, "merge": MergeAdapter}

BUDGET = 1_900_000  # bytes of a bundled adapter's file
CARD_BYTES = 8_192  # set aside for the card


def create_adapter(kind: str, model: nn.Module, generator: torch.Generator | None = None, **options: Any) -> Adapter:
    """Make a new adapter for a network; attached, it leaves the output bit-identical until it is trained.

    Args:
        kind: one of `KINDS`.
        model: the network (not an `AdaptedModel`); it is not changed.
        generator: source of the starting values, on the CPU; None draws the same ones every time.
        options: settings of the kind (`ConvAdapter`: reduction, sites; `MergeAdapter`: rank, full). With none at all,
            the largest adapter whose file stays within `BUDGET`.

    Raises:
        AdairError: an unknown kind, an unknown option, or a value out of range.
    """
    adapter = empty_adapter(kind, model, options or options_within(kind, model)).to_empty(device="cpu")
    adapter.initialise(generator or torch.Generator().manual_seed(0))
    return adapter


def empty_adapter(kind: str, model: nn.Module, options: Mapping[str, Any]) -> Adapter:
    """Make an adapter without memory for its values (on the "meta" device), whatever the options ask for.

    Raises:
        AdairError: an unknown kind, an unknown option, or a value out of range.
    """
    make: Callable[..., Adapter] = _find(kind)
    known = list(inspect.signature(make).parameters)[1:]  # after the model
    for key in options:
        if key not in known:
            raise AdairError(f"{kind} adapter: unknown option {key!r}; known: {', '.join(known)}")
    with torch.device("meta"):
        adapter = make(model, **options)
    adapter.unshuffle = int(getattr(model, "unshuffle", 1))
    return adapter


def complete_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given options over the defaults of a kind.

    >>> complete_options("merge", {"rank": 4})
    {'rank': 4, 'full': 0}

    Raises:
        AdairError: an unknown kind.
    """
    _, *known = inspect.signature(_find(kind)).parameters.values()  # the first is the model
    return {one.name: options.get(one.name, one.default) for one in known}


def file_bytes(adapter: Adapter, bytes_per_value: int = 2) -> int:
    """Upper bound of the size of an adapter's file, its card within 8 KiB: data, header and padding."""
    tensors = adapter.state_dict()
    data: int = bytes_per_value * sum(tensor.numel() for tensor in tensors.values())
    entries = {
        name: {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [data, data]}
        for name, tensor in tensors.items()
    }
    header = len(json.dumps(entries, separators=(",", ":")))
    return 8 + header + CARD_BYTES + data


def fits_within(kind: str, model: nn.Module, budget: int = BUDGET) -> Fits:
    """Return the test whether the file of an adapter with given options has at most ``budget`` bytes."""
    return partial(_fits, kind, model, budget)


def options_within(kind: str, model: nn.Module, budget: int = BUDGET) -> dict[str, Any]:
    """Return the options of the largest adapter of a kind whose file has at most ``budget`` bytes.

    Raises:
        AdairError: an unknown kind, or a budget that not even the smallest adapter fits.
    """
    fits = fits_within(kind, model, budget)
    options = _find(kind).fit(model, fits)
    if not fits(options):
        smallest = file_bytes(empty_adapter(kind, model, options))
        raise AdairError(f"{kind} adapter: the smallest for this network has {smallest} bytes, over {budget}")
    return options


def _fits(kind: str, model: nn.Module, budget: int, options: Mapping[str, Any]) -> bool:
    return file_bytes(empty_adapter(kind, model, options)) <= budget


def _find(kind: str) -> type[Adapter]:
    if kind not in KINDS:
        raise AdairError(f"unknown kind of adapter {kind!r}; known: {', '.join(KINDS)}")
    return KINDS[kind]
