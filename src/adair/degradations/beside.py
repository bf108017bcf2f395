"""Small tables made on the CPU, taken to where the image is without waiting for the device."""

from __future__ import annotations

from torch import Tensor


def pinned(values: Tensor, x: Tensor) -> Tensor:
    """CPU ``values`` in memory that a GPU fetches by itself, if ``x`` is on one. Parts of it need no further care."""
    return values.pin_memory() if x.is_cuda else values


def beside(values: Tensor, x: Tensor) -> Tensor:
    """CPU ``values`` on the device of ``x``. A copy to a GPU is queued there; the host goes on at once."""
    return pinned(values, x).to(x.device, non_blocking=x.is_cuda)
