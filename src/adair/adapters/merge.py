"""Kind ``merge``: changes of the network's weights, with low rank for large weights (LoRA, arXiv 2106.09685).

Large convolutions get a product of two thin matrices; small ones, as well as depthwise kernels, norms, biases and
scales, get a full delta. In a U-net a block of any level takes about the same time but has four times the weights of
one a level above; what a task has to change lies in the upper ones, where full deltas are cheap (docs/decisions/0008).
All of it is linear in the weights, so it merges exactly into them, costs nothing when restoring, scales with a strength
and blends with others.

A blend adds the changes of its adapters, each times its strength, and that sum is an adapter of this kind again: thin
matrices side by side are the low-rank change of the sum (the ranks add up), full changes are added. To fewer ranks than
that, the sum is cut to its largest singular values (Eckart and Young, 1936).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from adair.adapters.adapter import Adapter, Combined, Delta, Fits, largest, plant
from adair.errors import AdairError

LEAST_RANK = 8  # of large weights, before small ones get full deltas: docs/decisions/0008


class LowRankDelta(Delta):
    """The change ``up @ down`` of a weight that is seen as a matrix: output channels by everything else."""

    def __init__(self, shape: tuple[int, ...], rank: int) -> None:
        super().__init__()
        self.shape = shape
        self.up = nn.Parameter(torch.zeros(shape[0], rank))
        self.down = nn.Parameter(torch.zeros(rank, math.prod(shape[1:])))

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        up, down = self.up.float(), self.down.float()  # nothing to do, unless a user stores adapters in less
        return torch.addmm(weight.flatten(1), up, down, alpha=strength).view(self.shape)


class FullDelta(Delta):
    """The change of every value of a parameter."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.full = nn.Parameter(torch.zeros(shape))

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        return torch.add(weight, self.full, alpha=strength)


class MergeAdapter(Adapter):
    """A delta for every parameter of the network.

    Args:
        model: the network; only the shapes of its parameters are used.
        rank: of the low-rank deltas; a weight for which that would cost more than a full delta gets the full one.
        full: weights of at most so many values get a full delta in any case; 0: only those of the line above.

    Raises:
        AdairError: a rank that is not a positive integer, or a ``full`` that is negative or not an integer.
    """

    kind: ClassVar[str] = "merge"

    def __init__(self, model: nn.Module, rank: int = 8, full: int = 0) -> None:
        if type(rank) is not int or rank < 1:
            raise AdairError(f"merge adapter: rank must be a positive integer, not {rank!r}")
        if type(full) is not int or full < 0:
            raise AdairError(f"merge adapter: full must be an integer of at least 0, not {full!r}")
        super().__init__({"rank": rank, "full": full} if full else {"rank": rank})
        self._deltas: dict[str, LowRankDelta | FullDelta] = {}
        dense = {f"{name}.weight" for name, module in model.named_modules() if _is_dense(module)}
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            product = rank * (shape[0] + math.prod(shape[1:]))
            thin = name in dense and math.prod(shape) > max(product, full)
            self._deltas[name] = LowRankDelta(shape, rank) if thin else FullDelta(shape)
            plant(self, name, self._deltas[name])

    @classmethod
    def fit(cls, model: nn.Module, fits: Fits) -> dict[str, Any]:
        """Return full deltas for the small weights first, as many as leave `LEAST_RANK` to the large ones, whose rank
        then takes what is left.
        """
        counts = sorted({parameter.numel() for parameter in model.parameters()})
        full = largest(counts, lambda value: fits({"rank": LEAST_RANK, "full": value}))
        others = {} if full is None else {"full": full}
        widest = max(max(parameter.shape) for parameter in model.parameters())
        rank = largest(range(1, widest + 1), lambda value: fits({"rank": value, **others}))
        return {"rank": rank or 1, **others}

    @classmethod
    @torch.no_grad()
    def combine(
        cls, parts: Sequence[tuple[Self, float]], model: nn.Module, fits: Fits, **limits: Any
    ) -> Combined | None:
        """See `Adapter.combine`.

        Args:
            parts, model: as there.
            fits: without a rank, the result is exact if that fits, else it has the largest rank that does.
            limits: ``rank`` of the result, if less than the exact one.

        Raises:
            AdairError: a rank that is not a positive integer, or no rank fits.
        """
        exact = {
            "rank": sum(adapter.options["rank"] for adapter, _ in parts),
            "full": max(adapter.options.get("full", 0) for adapter, _ in parts),
        }
        options = {**exact, "rank": min(limits.get("rank", exact["rank"]), exact["rank"])}
        if "rank" not in limits and not fits(options):
            within = cls.fit(model, fits)
            if not fits(within):
                raise AdairError("merge adapter: even rank 1 makes too large a file for this network; give a rank")
            options = {"rank": min(within["rank"], exact["rank"]), "full": within.get("full", 0)}
        with torch.device("meta"):
            result = cls(model, **options)
        result.unshuffle = parts[0][0].unshuffle
        error = _fill(result.to_empty(device="cpu"), parts, lossless=options == exact)
        return Combined(result, error, {"rank": options["rank"], "exact_rank": exact["rank"]})

    def initialise(self, generator: torch.Generator) -> None:
        """Start at zero, but for ``down``: its deviation of 1/sqrt(rank) lets one step of Adam move a weight by about
        as much in a low-rank delta as in a full one, so that one learning rate suits both.
        """
        for delta in self._deltas.values():
            if isinstance(delta, LowRankDelta):
                nn.init.zeros_(delta.up)
                nn.init.normal_(delta.down, std=delta.down.shape[0] ** -0.5, generator=generator)
            else:
                nn.init.zeros_(delta.full)

    def deltas(self) -> dict[str, Delta]:
        return dict(self._deltas)


def _is_dense(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)


def _fill(result: MergeAdapter, parts: Sequence[tuple[MergeAdapter, float]], lossless: bool) -> float:
    """Give ``result`` the sum of the changes of ``parts``, and return the relative error that its rank makes."""
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
        lost += 0.0 if lossless else _energy(delta.added_to(-total, 1.0))
    return math.sqrt(lost / whole) if whole else 0.0


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
