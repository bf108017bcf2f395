"""The arms that the studies compare, at a budget: foundations, own networks, fine-tuned ones and adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adair.backbones.registry import RestormerConfig
from adair.studies.budget import Budget, Shape
from adair.studies.networks import Adapted, Given, Network, Part, Whole
from adair.studies.training import Course
from adair.tasks import LABORATORY

# Of a NAFNet's learning rate: the papers train Restormer with 3e-4 and PromptIR with 2e-4, NAFNet with 1e-3.
RESTORMER_RATE = 0.3


def suited(budget: Budget, form: Shape) -> Budget:
    """Return the budget with a learning rate for training this backbone from scratch."""
    return replace(budget, rate=RESTORMER_RATE * budget.rate) if isinstance(form, RestormerConfig) else budget


def course(budget: Budget, recipes: Sequence[str], seed: int, times: int = 1, on: bool = False) -> Course:
    """Return the course of a network for one task; ``times`` as long for one that learns several.

    Args:
        on: whether it starts from a foundation.
    """
    rate = budget.rate_on if on else budget.rate
    return Course(tuple(recipes), times * budget.steps, budget.batch, budget.patch, rate, seed=seed)


def foundation(budget: Budget, seed: int, recipe: str = LABORATORY, form: Shape | None = None) -> Network:
    """Return a foundation, pre-trained on the bundled mix of degradations or another recipe; or the given one.

    Args:
        form: its shape; None: that of the budget. A given foundation has its own.
    """
    if budget.foundation:
        return Given(budget.shape, budget.foundation)
    lessons = Course((recipe,), budget.pretrain_steps, budget.batch, budget.patch, budget.rate, seed=seed)
    return Whole(lessons, form or budget.shape)


def scratch(budget: Budget, recipes: Sequence[str], seed: int) -> Whole:
    """Return a separate network, trained from scratch."""
    return Whole(course(budget, recipes, seed), budget.shape)


def fine_tuned(budget: Budget, recipes: Sequence[str], seed: int) -> Whole:
    """Return the foundation with all its weights fine-tuned."""
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
    """Return an adapter on the foundation (or another ``base``); by default the one that represents AdaIR."""
    settings = tuple(sorted((options or budget.adapter).items()))
    return Adapted(course(budget, recipes, seed, on=True), base or foundation(budget, seed), kind, settings, part)


def given_facts(budget: Budget) -> list[str]:
    """What a page has to say about a foundation that was given, a line each."""
    if not budget.foundation:
        return []
    return [
        f"The foundation is the file {budget.foundation[:12]}, trained for {budget.pretrain_steps} steps before the "
        "study, the same for all seeds: verdicts are about adapters and networks on it, not about pre-training."
    ]
