"""Several adapters as one: the strengths that a blend may have, and one adapter that acts like the blend.

A blend adds the adapters' changes of the weights, each times its strength. For kind ``merge`` that sum is an adapter of
the same kind: low-rank changes side by side are the low-rank change of their sum (the ranks add up), full changes are
added. To fewer ranks than that, the sum is cut to its largest singular values (Eckart and Young, 1936).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adair.adapters.adapter import Delta
from adair.adapters.kinds import empty_adapter
from adair.adapters.merge import FullDelta, LowRankDelta, MergeAdapter
from adair.adapters.size import BUDGET, file_bytes, options_within


@dataclass(frozen=True)
class Combined:
    """An adapter that acts like a blend.

    Attributes:
        adapter: the adapter, in float32.
        exact_rank: the rank at which nothing is lost: the sum of the ranks.
        error: what was lost to reach a smaller rank: the norm of the difference, divided by the norm of the whole
            change (both over all weights together); 0 is exact.
    """

    adapter: MergeAdapter
    exact_rank: int
    error: float


@torch.no_grad()
def combine(parts: Sequence[tuple[MergeAdapter, float]], model: nn.Module, rank: int | None = None) -> Combined:
    """Make one adapter of kind ``merge`` that acts like a blend of such adapters.

    Args:
        parts: adapters for ``model`` with their strengths, at least one.
        model: the network; only the shapes of its parameters are looked at.
        rank: of the result, if less than the exact one; None: exact, unless its file would be over `BUDGET`: then the
            largest rank within it.

    Raises:
        AdairError: a rank that is no whole number from 1 up.
    """
    exact = sum(adapter.options["rank"] for adapter, _ in parts)
    exact_full = max(adapter.options.get("full", 0) for adapter, _ in parts)
    options = _options(exact, exact_full, model, rank)
    whole_kept = options["rank"] == exact and options["full"] == exact_full
    result = empty_adapter("merge", model, options).to_empty(device="cpu")
    assert isinstance(result, MergeAdapter)
    lost = whole = 0.0
    for name, delta in result.deltas().items():
        sources = [(adapter.deltas()[name], strength) for adapter, strength in parts]
        total = torch.zeros(delta.shape)
        for source, strength in sources:
            total = source.added_to(total, strength)
        if isinstance(delta, LowRankDelta):
            up, down = _product(sources, delta.up.shape[1])
            delta.up.copy_(up)
            delta.down.copy_(down)
        elif isinstance(delta, FullDelta):
            delta.full.copy_(total)
        whole += _energy(total)
        lost += 0.0 if whole_kept else _energy(delta.added_to(-total, 1.0))
    return Combined(result, exact, math.sqrt(lost / whole) if whole else 0.0)


def _options(exact: int, exact_full: int, model: nn.Module, rank: int | None) -> dict[str, int]:
    """Options of the result. Beyond the exact rank there is nothing to hold; a bad rank is refused by the kind."""
    options = {"rank": exact if rank is None else min(rank, exact), "full": exact_full}
    if rank is None and file_bytes(empty_adapter("merge", model, options)) > BUDGET:
        within = options_within("merge", model)
        options = {"rank": min(within["rank"], exact), "full": within.get("full", 0)}
    return options


def _product(sources: Sequence[tuple[Delta, float]], rank: int) -> tuple[Tensor, Tensor]:
    """Return thin matrices whose product is the sum of the changes, or is nearest to it where the rank falls short."""
    ups, downs = zip(*(_factors(delta, strength) for delta, strength in sources), strict=True)
    up, down = torch.cat(ups, 1), torch.cat(downs)
    if up.shape[1] <= rank:
        return up, down
    # The singular values of the product are those of a small matrix between two orthogonal ones.
    left, middle_left = torch.linalg.qr(up.double())
    right, middle_right = torch.linalg.qr(down.double().T)
    u, values, v = torch.linalg.svd(middle_left @ middle_right.T, full_matrices=False)
    root = values[:rank].sqrt()  # half of each side, so that neither leaves the range of float16
    return left @ (u[:, :rank] * root), root[:, None] * v[:rank] @ right.T


def _factors(delta: Delta, strength: float) -> tuple[Tensor, Tensor]:
    if isinstance(delta, LowRankDelta):
        return delta.up * strength, delta.down
    matrix = delta.added_to(torch.zeros(delta.shape), strength).flatten(1)
    return matrix, torch.eye(matrix.shape[1])


def _energy(change: Tensor) -> float:
    return float(change.double().square().sum())
