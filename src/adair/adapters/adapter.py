"""The base class of adapters: parameters, and how they act on a frozen network."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

Fits = Callable[[Mapping[str, Any]], bool]
"""Whether the file of an adapter with these options is small enough."""


class Delta(nn.Module):
    """A change of a weight of ``shape``, linear in its strength."""

    shape: tuple[int, ...]

    def added_to(self, weight: Tensor, strength: float) -> Tensor:
        """Return float32 ``weight`` plus ``strength`` times the change; differentiable in the parameters."""
        raise NotImplementedError


class Branch(nn.Module):
    """A module for a site with ``channels`` channels: (N, C, H, W) to (N, C, H, W)."""

    channels: int


class Adapter(nn.Module):
    """Base of the kinds. Its parameters are exactly the tensors that are trained and stored.

    A kind acts through `deltas` (changes of the network's weights), `branches` (modules parallel to the network's
    own branches, at its sites), or both. Deltas alone can be merged into the weights.

    Attributes:
        kind: its name in files and on command lines.
        options: the settings that, with the network, give its tensors their shapes; JSON values.
        unshuffle: that of the network: it works at 1/unshuffle of the image's resolution.
    """

    kind: ClassVar[str]
    unshuffle: int = 1

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.options = options

    @classmethod
    def fit(cls, model: nn.Module, fits: Fits) -> dict[str, Any]:
        """Return the options of the largest adapter for ``model`` that fits, or of the smallest one if none does."""
        raise NotImplementedError

    @classmethod
    def combine(
        cls, parts: Sequence[tuple[Self, float]], model: nn.Module, fits: Fits, **limits: Any
    ) -> Combined | None:
        """Return one adapter that is equivalent to a blend of several of this kind.

        Args:
            parts: adapters for ``model`` with their strengths, at least one.
            model: the network; only the shapes of its parameters are used.
            fits: tests whether the result is small enough, unless ``limits`` say otherwise.
            limits: the user's settings for the result, which depend on the kind.

        Returns:
            The adapter; None if adapters of this kind cannot become one.

        Raises:
            AdairError: a limit out of range.
        """
        return None

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the starting values, on the CPU; the network's output is then exactly that without the adapter."""
        raise NotImplementedError

    def deltas(self) -> dict[str, Delta]:
        """Return the network's parameter names with the change of each."""
        return {}

    def branches(self) -> dict[str, Branch]:
        """Return the modules of the adapter by the network's site names."""
        return {}


@dataclass(frozen=True)
class Combined:
    """An adapter that is equivalent to a blend.

    Attributes:
        adapter: the adapter, in float32.
        error: what was lost to make it smaller: the norm of the difference, divided by the norm of the whole change
            (both over all weights together); 0 is exact.
        facts: what else its card should say, by name.
    """

    adapter: Adapter
    error: float
    facts: dict[str, Any]


def largest(values: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """Return the last of ``values``, sorted from the smallest file to the largest, that fits; None if none does."""
    count = bisect.bisect_left(values, True, key=lambda value: not fits(value))
    return values[count - 1] if count else None


def plant(root: nn.Module, path: str, module: nn.Module) -> None:
    """Place ``module`` at a dotted path below ``root``, so that its tensors are named after the network's own."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root.get_submodule(parent)
    root.add_module(name, module)
