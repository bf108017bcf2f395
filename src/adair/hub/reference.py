"""Names of weights: a path, a file of the zoo, an https address, or a repository on a hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from adair.addresses import is_loopback
from adair.errors import InputError

# `Path` turns "hf://a/b" into "hf:/a/b", and names may have been paths on their way here.
_ADDRESS = re.compile(r"(hf|https?):/+(.*)", re.DOTALL)
_REPOSITORY = re.compile(
    r"(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})(@(?P<revision>[\w.-]{1,128}))?(/(?P<file>[\w ./-]+\.safetensors))?"
)
_DIGEST = re.compile(r"sha256=([0-9a-f]{64})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\.safetensors")


@dataclass(frozen=True)
class WebReference:
    """A file on the web; ``sha256`` is its required checksum, if the name has one."""

    address: str
    sha256: str | None

    @property
    def file(self) -> str:
        """A safe local name for the file."""
        last = urlsplit(self.address).path.rpartition("/")[2]
        return last if _NAME.fullmatch(last) else "adapter.safetensors"

    @property
    def key(self) -> str:
        """A unique key of this file."""
        return self.address


@dataclass(frozen=True)
class HubReference:
    """A file in a repository on a hub; ``file`` None is the only weight file, ``revision`` None the newest."""

    repo: str
    revision: str | None
    file: str | None

    @property
    def key(self) -> str:
        """A unique key of this file."""
        return f"hf://{self.repo}@{self.revision or 'main'}/{self.file or ''}"


Reference = WebReference | HubReference


def is_address(name: str | os.PathLike[str]) -> bool:
    """Whether ``name`` refers to another machine."""
    return _ADDRESS.match(os.fspath(name)) is not None


def parse_reference(name: str | os.PathLike[str]) -> Reference:
    """Return what an address refers to.

    Args:
        name: ``hf://user/name``, with ``@revision`` or ``/FILE.safetensors`` after it or both; or an https address,
            which may end in ``#sha256=`` and the checksum of the file.

    Raises:
        InputError: none of these, or plain http to another machine.

    Example:
        >>> parse_reference("hf://anna/scanner@v2/scanner.safetensors")
        HubReference(repo='anna/scanner', revision='v2', file='scanner.safetensors')
    """
    name = os.fspath(name)
    found = _ADDRESS.match(name)
    if not found:
        raise InputError(f"{name}: is not an address; write hf://user/name or https://...")
    scheme, rest = found[1], found[2]
    if scheme == "hf":
        return _hub_reference(name, rest)
    address, _, fragment = f"{scheme}://{rest}".partition("#")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port  # a bad port raises, too
    except ValueError:
        host = None
    if not host or any(char.isspace() for char in address):
        raise InputError(f"{name}: is not an address; write https://host/path/file.safetensors")
    if scheme == "http" and not is_loopback(host):
        raise InputError(f"{name}: plain http could be tampered with on the way; use https")
    digest = _DIGEST.fullmatch(fragment) if fragment else None
    if fragment and not digest:
        raise InputError(f"{name}: '#{fragment}' is not a checksum; write #sha256= and 64 hexadecimal digits")
    return WebReference(address, digest[1] if digest else None)


def _hub_reference(name: str, rest: str) -> HubReference:
    found = _REPOSITORY.fullmatch(rest.rstrip("/"))
    parts = rest.split("/")
    if not found or ".." in parts or "." in parts:
        raise InputError(
            f"{name}: is not a repository; write hf://user/name, or hf://user/name@revision/FILE.safetensors"
        )
    return HubReference(found["repo"], found["revision"], found["file"])
