"""The command line: one file per command, and :mod:`adair.cli.main` that finds them."""
