"""The body of a request: the plain bytes of an image, or a form (RFC 7578) with the files ``image`` and ``mask``.

Forms are taken apart here because parsers for whole web forms write large files to disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from adair.errors import FileFormatError

FORM = "multipart/form-data"
FIELDS = ("image", "mask")
LONGEST_HEADERS = 8192  # bytes of the headers of one file


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
    header = Message()
    header["Content-Type"] = media_type
    if header.get_content_type() != FORM:
        return Upload(data)
    boundary = header.get_boundary("")
    if not boundary:
        raise FileFormatError("the form has no boundary; send its Content-Type as the client made it")
    files: dict[str, bytes] = {}
    for name, content in _parts(data, b"--" + boundary.encode("latin-1", "replace")):
        if name not in FIELDS or name in files:
            problem = f"has '{name}' twice" if name in files else f"has a field '{name}'"
            raise FileFormatError(f"the form {problem}; send one file 'image' and at most one file 'mask'")
        files[name] = content
    if "image" not in files:
        raise FileFormatError("the form has no file 'image'; send one, and at most one file 'mask'")
    return Upload(files["image"], files.get("mask"))


def _parts(data: bytes, mark: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every part of a form."""
    damaged = FileFormatError("the form is damaged or incomplete; send it again")
    start = 0 if data.startswith(mark) else data.find(b"\r\n" + mark) + 2
    if start == 1:
        raise damaged
    while not data.startswith(b"--", start := start + len(mark)):
        end = data.find(b"\r\n" + mark, start)
        headers_end = data.find(b"\r\n\r\n", start, start + LONGEST_HEADERS)
        if end < 0 or not start <= headers_end <= end:
            raise damaged
        headers = BytesHeaderParser().parsebytes(data[start:headers_end].lstrip())
        name = headers.get_param("name", "", "content-disposition")
        yield name if isinstance(name, str) else "", data[headers_end + 4 : end]
        start = end + 2
