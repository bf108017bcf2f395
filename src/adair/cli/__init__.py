"""The command line: one file per command, found by :mod:`adair.cli.main`."""
