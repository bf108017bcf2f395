"""Copying small tables from the CPU to the image's device without waiting for it."""

from __future__ import annotations

from torch import Tensor


def pinned(values: Tensor, x: Tensor) -> Tensor:
    """Return CPU ``values`` in pinned memory, if ``x`` is on a GPU."""
    return values.pin_memory() if x.is_cuda else values


def on_device_of(values: Tensor, x: Tensor) -> Tensor:
    """Return CPU ``values`` on the device of ``x``. A copy to a GPU is queued; the host does not wait."""
    return pinned(values, x).to(x.device, non_blocking=x.is_cuda)
