"""The body of a request: the plain bytes of an image, or a form (RFC 7578) with the files ``image`` and ``mask``.

``multipart`` takes forms apart in memory; the parsers that web frameworks bring write large files to disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from multipart import MultipartError, PushMultipartParser, parse_options_header

from adair.errors import FileFormatError

FORM = "multipart/form-data"
FIELDS = ("image", "mask")
LONGEST_HEADER = 4096  # bytes of a line, and there are eight lines at most


@dataclass(frozen=True)
class Upload:
    """The files of a request, as bytes.

    Attributes:
        image: what is restored.
        mask: where it may change; None for everywhere.
    """

    image: bytes
    mask: bytes | None = None


def read_upload(data: bytes, media_type: str) -> Upload:
    """Take the body of a request apart.

    Args:
        data: the body.
        media_type: its Content-Type; anything but a form is an image, whatever it is called.

    Raises:
        FileFormatError: a damaged form, one without an image, or one with other fields.

    Example:
        >>> body = b'--x\\r\\nContent-Disposition: form-data; name="image"\\r\\n\\r\\nGIF\\r\\n--x--'
        >>> read_upload(body, f"{FORM}; boundary=x")
        Upload(image=b'GIF', mask=None)
    """
    kind, options = parse_options_header(media_type)
    if kind.lower() != FORM:
        return Upload(data)
    boundary = options.get("boundary")
    if not boundary:
        raise FileFormatError("the form has no boundary; send its Content-Type as the client made it")
    files: dict[str, bytes] = {}
    for name, content in _parts(data, boundary):
        if name not in FIELDS or name in files:
            problem = f"has '{name}' twice" if name in files else f"has a field '{name}'"
            raise FileFormatError(f"the form {problem}; send one file 'image' and at most one file 'mask'")
        files[name] = content
    if "image" not in files:
        raise FileFormatError("the form has no file 'image'; send one, and at most one file 'mask'")
    return Upload(files["image"], files.get("mask"))


def _parts(data: bytes, boundary: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every part of a form."""
    name, content = "", list[bytes | bytearray]()
    try:
        with PushMultipartParser(boundary, max_header_size=LONGEST_HEADER) as parser:
            for event in parser.parse(data):
                if event is None:
                    yield name, b"".join(content)
                elif isinstance(event, bytes | bytearray):
                    content.append(event)
                else:
                    name, content = event.name or "", []
    except MultipartError as error:
        raise FileFormatError("the form is damaged or incomplete; send it again") from error
