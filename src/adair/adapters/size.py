"""The largest adapter of a kind whose file stays within a number of bytes."""

from __future__ import annotations

import bisect
import json
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
    widest = max(max(parameter.shape) for parameter in model.parameters())
    others: dict[str, Any] = {}
    if kind == "merge":
        counts = sorted({parameter.numel() for parameter in model.parameters()})
        fitting = _that_fit(kind, model, budget, "full", counts, {"rank": LEAST_RANK})
        others = {"full": fitting[-1]} if fitting else {}
        name, sizes = "rank", list(range(1, widest + 1))
    else:
        name, sizes = "reduction", list(range(widest, 0, -1))
    fitting = _that_fit(kind, model, budget, name, sizes, others)
    if not fitting:
        smallest = file_bytes(empty_adapter(kind, model, {name: sizes[0]}))
        raise AdairError(f"{kind} adapter: the smallest for this network has {smallest} bytes, over {budget}")
    return {name: fitting[-1], **others}


def _that_fit(
    kind: str, model: nn.Module, budget: int, name: str, values: list[int], others: dict[str, Any]
) -> list[int]:
    """Those ``values`` of an option, sorted from the smallest file to the largest, whose file fits."""

    def too_large(value: int) -> bool:
        return file_bytes(empty_adapter(kind, model, {name: value, **others})) > budget

    return values[: bisect.bisect_left(values, True, key=too_large)]
