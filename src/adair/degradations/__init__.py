"""Degradation operators, and the language of recipes that composes them."""

from adair.degradations.degrade import degrade
from adair.degradations.recipe import Recipe, parse_recipe
from adair.degradations.registry import OPERATORS
from adair.degradations.resample import resize, shrink

__all__ = ["OPERATORS", "Recipe", "degrade", "parse_recipe", "resize", "shrink"]
