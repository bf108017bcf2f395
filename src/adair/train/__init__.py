"""Training: one loop for foundations and adapters."""
