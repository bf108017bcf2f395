"""The values of parameters in recipes, and how they become one number per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


def _text(number: float) -> str:
    """Return the shortest text that parses to ``number``."""
    return repr(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(number)


@dataclass(frozen=True)
class Number:
    """The same number for every sample."""

    number: float

    def sample(self, count: int, whole: bool, generator: torch.Generator) -> Tensor:
        return torch.full((count,), self.number)

    def __str__(self) -> str:
        return _text(self.number)


@dataclass(frozen=True)
class Name:
    """A named setting such as ``true``; ``number`` is what the operator receives for it."""

    name: str
    number: float

    def sample(self, count: int, whole: bool, generator: torch.Generator) -> Tensor:
        return torch.full((count,), self.number)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Range:
    """Uniform in ``low..high`` (whole numbers, both ends included, where the parameter is a whole number)."""

    low: float
    high: float

    def sample(self, count: int, whole: bool, generator: torch.Generator) -> Tensor:
        uniform = torch.rand(count, generator=generator)
        if whole:
            return (self.low + (uniform * (self.high - self.low + 1)).floor()).clamp(max=self.high)
        return self.low + uniform * (self.high - self.low)

    def __str__(self) -> str:
        return f"{_text(self.low)}..{_text(self.high)}"


@dataclass(frozen=True)
class Choice:
    """One of several values with equal probability."""

    options: tuple[Number | Name | Range, ...]

    def sample(self, count: int, whole: bool, generator: torch.Generator) -> Tensor:
        drawn = torch.stack([option.sample(count, whole, generator) for option in self.options])
        pick = torch.randint(len(self.options), (1, count), generator=generator)
        return drawn.gather(0, pick).squeeze(0)

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.options)) + "}"


Value = Number | Name | Range | Choice


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operator: its default and its allowed values.

    Attributes:
        default: used if a recipe does not set the parameter.
        low, high: allowed numbers, both included; for a parameter with ``names`` the names are allowed instead.
        whole: whether only integers are allowed.
        names: from a name in a recipe to the number that the operator receives.
    """

    name: str
    default: Value
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    names: Mapping[str, float] = field(default_factory=dict)
