"""How large an image may be: a fixed number of pixels, and the memory that is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adair.errors import OutOfMemoryError, TooLargeError
from adair.hardware import memory_available
from adair.images import scratch

MAX_PIXELS = 500_000_000
COPIES = 2  # of the decoded pixels: the decoder's and our own
LITTLE = 2**18  # bytes that are always there; finding out how many are free takes as long as decoding so few


@dataclass(frozen=True)
class Limits:
    """Limits for one file.

    Attributes:
        path: its name in messages.
        max_pixels: the largest image.
        scratch: where pixels too large for memory go (see `scratch`); None if memory has to hold them.
    """

    path: Path
    max_pixels: int = MAX_PIXELS
    scratch: Path | None = None

    def check(self, width: int, height: int, channels: int, item_bytes: int, streamed: bool = False) -> None:
        """Check the size that a header claims, before anything is decoded.

        Args:
            width, height, channels, item_bytes: what the header says.
            streamed: whether the decoder gives lines as they come, so that they never all lie in memory.

        Raises:
            TooLargeError: more pixels than `max_pixels`.
            OutOfMemoryError: decoded, it would take more bytes than are free.
        """
        if width * height > self.max_pixels:
            raise TooLargeError(
                f"{self.path}: {width}x{height} is {width * height / 1e6:.0f} megapixels, more than "
                f"{self.max_pixels / 1e6:g} megapixels; raise --max-megapixels (max_pixels= in Python) "
                "if you trust the file"
            )
        needed = COPIES * width * height * channels * item_bytes
        if needed <= LITTLE:
            return
        free = memory_available()
        on_disk = streamed and self.scratch is not None and needed >= COPIES * scratch.LARGE
        if needed > free and not on_disk:
            raise OutOfMemoryError(
                f"{self.path}: {width}x{height} with {channels} channels of {8 * item_bytes} bits needs "
                f"{needed / 1e9:.2f} GB to decode, but only {free / 1e9:.2f} GB are free; "
                "free some memory, or cut the image into smaller ones"
            )
