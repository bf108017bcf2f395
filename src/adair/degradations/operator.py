"""Operators: a name, parameters, and a function on a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from adair.degradations.values import Parameter

Apply = Callable[..., Tensor]
"""``apply(x, generator, *, parameter=..., ...) -> Tensor``.

``x`` is (N, C, H, W) float32 and is not modified; the result is a new tensor, of the same shape if ``keeps_size``.
Every parameter of the operator arrives as a float32 tensor (N,) on the CPU, so that choosing kernel sizes never waits
for a GPU; `on_device_of` copies it, or what is made from it, to the device of ``x``. No value of ``x`` may be read
(``item``, ``nonzero``, a mask as an index). ``generator`` is on the device of ``x`` and draws pixels.
The same generator state, input and parameters give the same result on one device.
"""


@dataclass(frozen=True, eq=False)
class Operator:
    """One degradation. ``apply`` states its formula and source in its docstring."""

    name: str
    apply: Apply
    parameters: tuple[Parameter, ...]
    keeps_size: bool = True
