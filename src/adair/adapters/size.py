"""The largest adapter of a kind whose file stays within a number of bytes."""

from __future__ import annotations

import json
from typing import Any

from torch import nn

from adair.adapters.adapter import Adapter
from adair.adapters.kinds import empty_adapter
from adair.errors import AdairError

BUDGET = 1_900_000  # bytes of a bundled adapter's file
CARD_BYTES = 8_192  # set aside for the card


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

    Raises:
        AdairError: an unknown kind, or a budget that not even the smallest adapter fits.
    """
    widest = max(max(parameter.shape) for parameter in model.parameters())
    name, sizes = ("rank", range(1, widest + 1)) if kind == "merge" else ("reduction", range(widest, 0, -1))
    low, high = 0, len(sizes)  # sizes[:low] fit, sizes[high:] do not
    while low < high:
        middle = (low + high) // 2
        if file_bytes(empty_adapter(kind, model, {name: sizes[middle]})) <= budget:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        smallest = file_bytes(empty_adapter(kind, model, {name: sizes[0]}))
        raise AdairError(f"{kind} adapter: the smallest for this network has {smallest} bytes, over {budget}")
    return {name: sizes[low - 1]}
