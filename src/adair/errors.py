"""The exceptions for everything that a user can act on.

Catch `AdairError` to treat all alike; catch a subclass where the answer differs, as a server does: bad input is the
client's fault, running out of memory is not. The message is always one line that names the file or the value and says
what to do; the command line prints it as it is (a traceback only with ``--debug``).
"""

from __future__ import annotations

LONGEST_LINE = 600  # characters of a message; names and values from foreign files may be of any length


class AdairError(Exception):
    """A problem that the user can act on; the base of all others, raised itself if none of them fits.

    Its text is safe to show in a terminal: one line of bounded length without control characters, whatever the names
    and values in it hold.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return ``text`` with control characters escaped, and with its middle left out if it is too long.

    Example:
        >>> one_line("a\\x1b[31m.png: not found")
        'a\\\\x1b[31m.png: not found'
    """
    text = text.translate({ord(blank): " " for blank in "\n\r\t"})
    shown = "".join(char if char.isprintable() or char == " " else ascii(char)[1:-1] for char in text)
    if len(shown) <= longest:
        return shown
    end = longest // 3
    return f"{shown[: longest - end - 5]} ... {shown[-end:]}"


class InputError(AdairError):
    """An image, a task or another value that cannot be used as given."""


class FileFormatError(InputError):
    """A file that is damaged, truncated, or of the wrong kind."""


class TooLargeError(InputError):
    """An image of more pixels, or a file of more bytes, than the limit that was set."""


class AdapterMismatchError(AdairError):
    """An adapter that was made for another foundation or another network."""


class OutOfMemoryError(AdairError):
    """Not enough memory, even for the smallest piece of work; a later attempt or a smaller image may succeed."""


class NonFiniteOutputError(AdairError):
    """The network produced NaN or infinity; nothing was written."""


class Interrupted(AdairError):
    """The work was cancelled; no partial file remains."""
