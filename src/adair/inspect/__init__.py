"""Finding out what is wrong with an image, and what to do about it: a small network and a rule."""

from adair.inspect.estimator import Estimator, load_estimator, save_estimator
from adair.inspect.inspector import Finding, Inspector
from adair.inspect.plan import MIXTURE, Advice, RestorationPlan, add_found, advise

__all__ = [
    "MIXTURE",
    "Advice",
    "Estimator",
    "Finding",
    "Inspector",
    "RestorationPlan",
    "add_found",
    "advise",
    "load_estimator",
    "save_estimator",
]
