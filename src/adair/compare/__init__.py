"""Two images side by side: how far apart they are, in numbers and on a page."""

from adair.compare.measure import PROTOCOLS, Comparison, measure
from adair.compare.page import page

__all__ = ["PROTOCOLS", "Comparison", "measure", "page"]
