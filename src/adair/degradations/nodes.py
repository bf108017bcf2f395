"""The tree of a recipe: what happens to which sample of a batch.

Applying a recipe has two parts. First every decision (is it applied, in which order, with which numbers) is drawn on
the CPU: each sample gets a queue of operators to apply (`draw` of the nodes). Then the queues are processed
(`work_off`): an operator runs once for all samples that wait for it, wherever in the tree they took it. So a batch
costs a handful of calls however the tree branches, and the host, which knows every choice, never waits for a GPU.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adair.degradations.operator import Operator
from adair.degradations.transfer import on_device_of, pinned
from adair.degradations.values import Number, Value
from adair.errors import AdairError

_ORDERS = 4  # largest number of orders in one batch; more would only split it into smaller, slower groups


@dataclass(frozen=True)
class Turn:
    """One sample for one operator, with a number for each parameter."""

    operator: Operator
    numbers: tuple[float, ...]


Queues = Sequence[list[Turn]]
"""For each sample of a batch, the operators to apply, in order."""


@dataclass(frozen=True)
class Operation:
    """One operator with the values that the recipe gives; the operator's defaults stand for the rest."""

    operator: Operator
    given: tuple[tuple[str, Value], ...]

    def draw(self, queues: Queues, generator: torch.Generator) -> None:
        if not queues:
            return
        given = dict(self.given)
        drawn = [
            given.get(p.name, p.default).sample(len(queues), p.whole, generator).tolist()
            for p in self.operator.parameters
        ]
        for queue, *numbers in zip(queues, *drawn, strict=True):
            queue.append(Turn(self.operator, tuple(numbers)))

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value}" for name, value in self.given)
        return f"{self.operator.name}({inside})" if inside else self.operator.name


@dataclass(frozen=True)
class Chain:
    """One part after the other."""

    parts: tuple[Node, ...]

    def draw(self, queues: Queues, generator: torch.Generator) -> None:
        for part in self.parts:
            part.draw(queues, generator)

    def __str__(self) -> str:
        return " > ".join(f"({p})" if isinstance(p, Chain | OneOf) else str(p) for p in self.parts)


@dataclass(frozen=True)
class OneOf:
    """For each sample, one of the options with equal probability."""

    options: tuple[Node, ...]

    def draw(self, queues: Queues, generator: torch.Generator) -> None:
        pick = torch.randint(len(self.options), (len(queues),), generator=generator).tolist()
        for number, option in enumerate(self.options):
            option.draw([queue for queue, mine in zip(queues, pick, strict=True) if mine == number], generator)

    def __str__(self) -> str:
        return " | ".join(f"({o})" if isinstance(o, OneOf) else str(o) for o in self.options)


@dataclass(frozen=True)
class Maybe:
    """Applied to each sample with a probability."""

    node: Node
    probability: float

    def draw(self, queues: Queues, generator: torch.Generator) -> None:
        taken = (torch.rand(len(queues), generator=generator) < self.probability).tolist()
        self.node.draw([queue for queue, mine in zip(queues, taken, strict=True) if mine], generator)

    def __str__(self) -> str:
        inside = f"({self.node})" if isinstance(self.node, Chain | OneOf | Maybe) else str(self.node)
        return f"{inside}?{Number(self.probability)}"


@dataclass(frozen=True)
class Shuffle:
    """All members, in a random order.

    A batch draws at most four orders and spreads its samples over them. Over many batches every order is as likely, and
    any one sample's order is uniform; only samples of one batch share theirs.
    """

    members: tuple[Node, ...]

    def draw(self, queues: Queues, generator: torch.Generator) -> None:
        pick = torch.randint(_ORDERS, (len(queues),), generator=generator).tolist()
        for order in range(_ORDERS):
            mine = [queue for queue, taken in zip(queues, pick, strict=True) if taken == order]
            for number in torch.randperm(len(self.members), generator=generator).tolist():
                self.members[number].draw(mine, generator)

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


def work_off(x: Tensor, queues: Queues, generator: torch.Generator) -> Tensor:
    """Apply every sample's turns; writes into ``x``, or returns a new tensor.

    Args:
        x: (N, C, H, W) float32.
        queues: N queues; they end up empty.
        generator: on the device of ``x``, for the pixels that operators draw.
    """
    while any(queues):
        operator = _next(queues)
        chosen = [i for i, queue in enumerate(queues) if queue and queue[0].operator is operator]
        table = pinned(torch.tensor([queues[i].pop(0).numbers for i in chosen], dtype=torch.float32).T.contiguous(), x)
        settings = {p.name: numbers for p, numbers in zip(operator.parameters, table, strict=True)}
        if len(chosen) == len(x):
            x = operator.apply(x, generator, **settings)
            continue
        index = on_device_of(torch.tensor(chosen), x)
        changed = operator.apply(x.index_select(0, index), generator, **settings)
        if changed.shape[1:] != x.shape[1:]:
            raise AdairError(
                f"'{operator.name}' would make only some images of the batch smaller; degrade them one at a time"
            )
        x.index_copy_(0, index, changed)
    return x


def _next(queues: Queues) -> Operator:
    """Of the operators that samples wait for, the one that fewest others come to later and could join then.

    One that changes the size comes when nothing else is left to do: the samples of a batch share their size.
    """
    waiting = Counter(queue[0].operator for queue in queues if queue)
    later = Counter(turn.operator for queue in queues for turn in queue[1:])
    return min(waiting, key=lambda operator: (not operator.keeps_size, later[operator], -waiting[operator]))
