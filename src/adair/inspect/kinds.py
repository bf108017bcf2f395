"""The kinds of damage that the estimator knows: their levels, in the units that people use, and what undoes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of damage.

    The estimator speaks of severity, 0 (none) to 1 (as bad as it was trained on); a level is the same in people's
    units, and runs linearly from ``none`` to ``worst``.

    Attributes:
        name: short name, also that of the operator in a recipe.
        task: the adapter that undoes it.
        measure: what the level is called, and its unit.
        none, worst: level of severity 0 and of severity 1.
        worth: level from which on the damage counts as there: what is weaker, clean photos have too.
        digits: decimals of the level that mean something.
    """

    name: str
    task: str
    measure: str
    none: float
    worst: float
    worth: float
    digits: int = 1

    def severity(self, level: float) -> float:
        """The severity of a level; beyond 1 where the level is worse than any trained on."""
        return (level - self.none) / (self.worst - self.none)

    def level(self, severity: float) -> float:
        """The level of a severity."""
        return self.none + severity * (self.worst - self.none)


KINDS = (
    Kind("rain", "derain", "mean change by streaks, of 255", none=0, worst=40, worth=1.5),
    Kind("blur", "deblur", "sigma of the Gaussian, pixels", none=0, worst=3.5, worth=0.7),
    Kind("resize", "sr", "factor by which the image was once smaller", none=1, worst=4, worth=1.4),
    Kind("noise", "denoise", "sigma, of 255", none=0, worst=55, worth=3),
    Kind("jpeg", "dejpeg", "quality", none=100, worst=8, worth=86, digits=0),
)
"""In the order in which they befall a photo: rain in front of the lens, optics, enlargement, the sensor, the file."""
