"""The tree of a recipe: what happens to which sample of a batch.

Decisions (is it applied, in which order, with which numbers) are drawn on the CPU, pixels on the image's device. An
operator runs once for all samples that take it at the same time, so a batch costs a handful of calls however it
branches. ``apply`` of a node owns its input: it may write the result into it, or return a new tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adair.degradations.operator import Operator
from adair.degradations.values import Number, Value
from adair.errors import AdairError

_ORDERS = 4  # at most so many orders in one batch; more would only cut it into smaller, slower groups


@dataclass
class Dice:
    """The two sources of randomness of one application: ``decisions`` on the CPU, ``pixels`` on the image's device."""

    decisions: torch.Generator
    pixels: torch.Generator


@dataclass(frozen=True)
class Operation:
    """One operator with the values that the recipe gives; the operator's defaults stand for the rest."""

    operator: Operator
    given: tuple[tuple[str, Value], ...]

    def apply(self, x: Tensor, dice: Dice) -> Tensor:
        given = dict(self.given)
        settings = {
            p.name: given.get(p.name, p.default).sample(len(x), p.whole, dice.decisions)
            for p in self.operator.parameters
        }
        return self.operator.apply(x, dice.pixels, **settings)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.given)
        return f"{self.operator.name}({inside})" if inside else self.operator.name


@dataclass(frozen=True)
class Chain:
    """One part after the other."""

    parts: tuple[Node, ...]

    def apply(self, x: Tensor, dice: Dice) -> Tensor:
        for part in self.parts:
            x = part.apply(x, dice)
        return x

    def __str__(self) -> str:
        return " > ".join(f"({p})" if isinstance(p, Chain | OneOf) else str(p) for p in self.parts)


@dataclass(frozen=True)
class OneOf:
    """For each sample one of the options, each as likely."""

    options: tuple[Node, ...]

    def apply(self, x: Tensor, dice: Dice) -> Tensor:
        pick = torch.randint(len(self.options), (len(x),), generator=dice.decisions)
        for number, option in enumerate(self.options):
            x = _where(pick == number, option, x, dice)
        return x

    def __str__(self) -> str:
        return " | ".join(f"({o})" if isinstance(o, OneOf) else str(o) for o in self.options)


@dataclass(frozen=True)
class Maybe:
    """Applied to each sample with a probability."""

    node: Node
    probability: float

    def apply(self, x: Tensor, dice: Dice) -> Tensor:
        return _where(torch.rand(len(x), generator=dice.decisions) < self.probability, self.node, x, dice)

    def __str__(self) -> str:
        inside = f"({self.node})" if isinstance(self.node, Chain | OneOf | Maybe) else str(self.node)
        return f"{inside}?{Number(self.probability)}"


@dataclass(frozen=True)
class Shuffle:
    """All members, in a random order.

    A batch draws at most four orders and spreads its samples over them: at each step the samples whose orders agree on
    the next member go through it together. Over many batches every order is as likely, and any one sample's order is
    uniform; only samples of one batch share theirs.
    """

    members: tuple[Node, ...]

    def apply(self, x: Tensor, dice: Dice) -> Tensor:
        count = len(self.members)
        orders = torch.stack([torch.randperm(count, generator=dice.decisions) for _ in range(min(_ORDERS, len(x)))])
        mine = orders[torch.randint(len(orders), (len(x),), generator=dice.decisions)]
        for step in range(count):
            for number in orders[:, step].unique().tolist():
                x = _where(mine[:, step] == number, self.members[number], x, dice)
        return x

    def __str__(self) -> str:
        return f"shuffle({', '.join(map(str, self.members))})"


def keeps_size(node: Node) -> bool:
    """Whether no part of the tree changes the size of an image."""
    match node:
        case Operation(operator=operator):
            return operator.keeps_size
        case Maybe(node=inside):
            return keeps_size(inside)
        case Chain(parts=parts) | OneOf(options=parts) | Shuffle(members=parts):
            return all(map(keeps_size, parts))


Node = Operation | Chain | OneOf | Maybe | Shuffle


def _where(chosen: Tensor, node: Node, x: Tensor, dice: Dice) -> Tensor:
    """Send the chosen samples, a mask (N,) on the CPU, and only those, through ``node``; writes into ``x``."""
    index = chosen.nonzero().squeeze(1)
    if not len(index):
        return x
    if len(index) == len(x):
        return node.apply(x, dice)
    index = index.to(x.device, non_blocking=True)
    changed = node.apply(x.index_select(0, index), dice)
    if changed.shape[1:] != x.shape[1:]:
        raise AdairError(f"'{node}' would make only some images of the batch smaller; degrade them one at a time")
    return x.index_copy_(0, index, changed)
