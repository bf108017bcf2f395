"""Suites, protocols, methods and reports: numbers that can be compared."""
