"""Everything that a user can act on, as one family of exceptions.

Catch `AdairError` to treat all alike; catch a subclass where the answer differs, as a server does: bad input is the
client's fault, running out of memory is not. The message is always one line that names the file or the value and says
what to do; the command line prints it as it is (a traceback only with ``--debug``).
"""

from __future__ import annotations


class AdairError(Exception):
    """A problem that the user can act on; base of all others, raised itself where none of them fits."""


class InputError(AdairError):
    """An image, a task or another value that cannot be used as given."""


class FileFormatError(InputError):
    """A file that is damaged, truncated, or not of the kind that is needed."""


class AdapterMismatchError(AdairError):
    """An adapter that was made for another foundation or another network."""


class OutOfMemoryError(AdairError):
    """Not enough memory, even for the smallest piece of the work; a later try or a smaller image may succeed."""


class NonFiniteOutputError(AdairError):
    """The network produced NaN or infinity; nothing was written."""


class Interrupted(AdairError):
    """The work was cancelled; nothing half-written remains."""
