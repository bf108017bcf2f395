"""The server's address and limits, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from adair.addresses import is_loopback
from adair.errors import InputError

SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class ServeConfig:
    """How a server runs.

    Args:
        host: address to listen on; addresses other than loopback can be reached from outside.
        port: 0 lets the system choose one.
        token: clients must send it as ``Authorization: Bearer TOKEN``; None for no authorisation.
        queue: limit of requests that are uploading, waiting or running; others must try again later.
        max_megabytes: limit of one upload.
        max_megapixels: limit of one image, before and after enlarging.
        memory_gigabytes: limit of all decoded images together; a single image is always accepted.
        upload_seconds: time limit of one upload.
        seconds: time limit of waiting and restoring together.
        parallel: images to restore at a time; small ones of equal size go through the network together.
        batch_pixels: an image or tile of more pixels runs alone, because it keeps the network busy by itself.

    Raises:
        InputError: a limit that is not a positive finite number, a port outside 0..65535, a token that is too short.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    queue: int = 32
    max_megabytes: float = 64.0
    max_megapixels: float = 64.0
    memory_gigabytes: float = 2.0
    upload_seconds: float = 30.0
    seconds: float = 120.0
    parallel: int = 8
    batch_pixels: int = 192 * 192

    def __post_init__(self) -> None:
        for limit in fields(self)[3:]:
            value = getattr(self, limit.name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{limit.name} {value}: must be a finite number above 0")
        if not 0 <= self.port <= 65535:
            raise InputError(f"port {self.port} is outside 0..65535; 8000 is usual")
        if self.token is not None and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise InputError(f"the token must have at least {SHORTEST_TOKEN} characters, all ASCII")

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def max_bytes(self) -> int:
        """The limit of one upload, in bytes."""
        return int(self.max_megabytes * 1e6)

    @property
    def max_pixels(self) -> int:
        """The limit of one image, in pixels."""
        return int(self.max_megapixels * 1e6)

    @property
    def memory_bytes(self) -> int:
        """The limit of all decoded images together, in bytes."""
        return int(self.memory_gigabytes * 1e9)
