"""The largest adapter of a kind whose file stays within a number of bytes."""

from __future__ import annotations

import bisect
import json
from collections.abc import Callable
from typing import Any

from torch import nn

from adair.adapters.adapter import Adapter
from adair.adapters.kinds import empty_adapter
from adair.errors import AdairError

BUDGET = 1_900_000  # bytes of a bundled adapter's file
CARD_BYTES = 8_192  # set aside for the card
LEAST_RANK = 8  # of large weights, before small ones get full deltas: docs/decisions/0008


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


def options_within(kind: str, model: nn.Module, budget: int = BUDGET) -> dict[str, Any]:
    """Return the options of the largest adapter of a kind, "conv" or "merge", whose file has at most ``budget`` bytes.

    Kind "merge": full deltas for the small weights first, as many as leave `LEAST_RANK` to the large ones, whose rank
    then takes what is left.

    Raises:
        AdairError: an unknown kind, or a budget that not even the smallest adapter fits.
    """

    def fits(**options: int) -> bool:
        return file_bytes(empty_adapter(kind, model, options)) <= budget

    widest = max(max(parameter.shape) for parameter in model.parameters())
    if kind != "merge":
        return {"reduction": _largest(range(widest, 0, -1), lambda n: fits(reduction=n), kind, model, budget)}
    sizes = sorted({parameter.numel() for parameter in model.parameters()}, reverse=True)
    full = next((size for size in sizes if fits(rank=LEAST_RANK, full=size)), 0)
    rank = _largest(range(1, widest + 1), lambda n: fits(rank=n, full=full), kind, model, budget)
    return {"rank": rank, "full": full} if full else {"rank": rank}


def _largest(values: range, fits: Callable[[int], bool], kind: str, model: nn.Module, budget: int) -> int:
    """The last of ``values``, which go from the smallest adapter to the largest, that fits."""
    found = bisect.bisect_left(values, True, key=lambda value: not fits(value))
    if found == 0:
        options = {"rank": 1} if kind == "merge" else {"reduction": values[0]}
        smallest = file_bytes(empty_adapter(kind, model, options))
        raise AdairError(f"{kind} adapter: the smallest for this network has {smallest} bytes, over {budget}")
    return values[found - 1]
