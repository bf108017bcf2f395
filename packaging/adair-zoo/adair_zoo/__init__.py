"""Adapter files for AdaIR, which finds them here; there is no code."""
