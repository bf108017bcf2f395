"""The server's limits and address, checked once."""

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
        host: address to listen on; others than loopback can be reached from outside.
        port: 0 lets the system choose one.
        token: what clients must send as ``Authorization: Bearer TOKEN``; None asks for nothing.
        queue: requests that are uploading, waiting or running at most; more are told to come back.
        max_megabytes: of one upload.
        max_megapixels: of one image, before and after enlarging.
        memory_gigabytes: of decoded images that wait or run, all together; one image is always let in.
        upload_seconds: for one upload to arrive.
        seconds: for waiting and restoring together.
        parallel: images in work at once; small ones of equal size among them run through the network together.
        batch_pixels: an image or tile of more pixels runs alone; it keeps the network busy by itself.

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
        """Bytes of one upload."""
        return int(self.max_megabytes * 1e6)

    @property
    def max_pixels(self) -> int:
        """Pixels of one image."""
        return int(self.max_megapixels * 1e6)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all decoded images together."""
        return int(self.memory_gigabytes * 1e9)
