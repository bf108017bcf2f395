"""Alternatives to our networks, measured in the same way: classical methods and published networks."""

from adair.bench.baselines.checkpoint import load_baseline
from adair.bench.baselines.registry import find_baselines, unavailable

__all__ = ["find_baselines", "load_baseline", "unavailable"]
