"""The jobs that several studies share: they are worked once, whichever study asks first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adair.studies.budget import Budget
from adair.studies.networks import Adapted, Network, Part, Whole
from adair.studies.training import Course
from adair.tasks import MIX


def course(budget: Budget, recipes: Sequence[str], seed: int, times: int = 1, on: bool = False) -> Course:
    """The lessons of a network for one task; ``times`` as long for one that learns several.

    Args:
        on: whether it begins at a foundation.
    """
    rate = budget.rate_on if on else budget.rate
    return Course(tuple(recipes), times * budget.steps, budget.batch, budget.patch, rate, seed=seed)


def foundation(budget: Budget, seed: int, recipe: str = MIX) -> Whole:
    """A foundation, pre-trained on the product's mix of degradations or another recipe."""
    lessons = Course((recipe,), budget.pretrain_steps, budget.batch, budget.patch, budget.rate, seed=seed)
    return Whole(lessons, budget.shape)


def scratch(budget: Budget, recipes: Sequence[str], seed: int) -> Whole:
    """A network of its own, trained from scratch."""
    return Whole(course(budget, recipes, seed), budget.shape)


def fine_tuned(budget: Budget, recipes: Sequence[str], seed: int) -> Whole:
    """The foundation with all its weights trained further."""
    return Whole(course(budget, recipes, seed, on=True), budget.shape, foundation(budget, seed))


def adapted(
    budget: Budget,
    recipes: Sequence[str],
    seed: int,
    base: Network | None = None,
    kind: str = "merge",
    part: Part = "all",
    **options: Any,
) -> Adapted:
    """An adapter on the foundation (or another ``base``); by default the one that stands for AdaIR."""
    settings = tuple(sorted((options or {"rank": budget.rank}).items()))
    return Adapted(course(budget, recipes, seed, on=True), base or foundation(budget, seed), kind, settings, part)
