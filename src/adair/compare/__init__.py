"""Comparing an image with its reference: metrics, and an HTML page."""

from adair.compare.measure import PROTOCOLS, Comparison, measure
from adair.compare.page import page

__all__ = ["PROTOCOLS", "Comparison", "measure", "page"]
