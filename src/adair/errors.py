"""The one exception type that a person ever sees."""

from __future__ import annotations


class AdairError(Exception):
    """A problem that the user can act on.

    The message is one line that names the file, the offending value and the way out. The command line prints it
    as it is (a traceback only with ``--debug``); a library user catches it by this name.
    """
