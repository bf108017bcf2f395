"""The optimiser: Muon for matrices, AdamW for everything else, and a moving average of the weights.

Muon moves a weight matrix by the same amount in all directions, including rare ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from adair.errors import AdairError

SMALLEST = 8  # channels in or out: with fewer, there are too few directions for Muon to matter
LARGEST = 256  # shorter side: on a CPU the steps of larger matrices would cost more than their gradients

MOMENTUM = 0.95
ITERATIONS = 4
# The quintic that drives all singular values towards 1 fastest, from anywhere in 0..1 to about 0.7..1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
LIKE_ADAM = 0.2  # root mean square of an update in units of the learning rate: similar to AdamW's


def suits(parameter: Tensor) -> bool:
    """Whether Muon suits ``parameter``: a weight (out, in, ...) that mixes channels, of a suitable size."""
    if parameter.ndim < 2 or min(parameter.shape[:2]) < SMALLEST:
        return False
    return min(parameter.shape[0], parameter[0].numel()) <= LARGEST


class Muon(torch.optim.Optimizer):
    """Momentum, replaced by the nearest orthogonal matrix (K. Jordan et al., "Muon", 2024).

    A weight (out, in, ...) is treated as a matrix (out, rest). Updates are scaled to the size of AdamW's (arXiv
    2502.16982, section 2.2), so one learning rate serves both. PyTorch's Muon (2.9 and later) rejects convolutions.

    Args:
        parameters: those that `suits` accepts.
        weight_decay: fraction of a weight that a step with learning rate 1 would subtract.
        dtype: precision of the orthogonalisation; bfloat16 is sufficient where it is fast.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(parameters, {"lr": 0.0, "weight_decay": weight_decay})
        self._dtype = dtype
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = {"momentum": torch.zeros_like(parameter, requires_grad=False)}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the weights; ``closure`` is not used."""
        for group in self.param_groups:
            matrices = {p: self._next_step(p) for p in group["params"] if p.grad is not None}
            # One batch for each shape, not one matrix after the other: the same products in a third of the time.
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter, matrix in matrices.items():
                shapes.setdefault(matrix.shape, []).append(parameter)
            for shape, parameters in shapes.items():
                directions = orthogonal(torch.stack([matrices[parameter] for parameter in parameters]))
                size = LIKE_ADAM * math.sqrt(max(shape))
                for parameter, direction in zip(parameters, directions.to(parameters[0].dtype), strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(direction.view_as(parameter), alpha=-group["lr"] * size)

    def _next_step(self, parameter: nn.Parameter) -> Tensor:
        """Return the momentum of ``parameter`` one step ahead, as Nesterov's, as a matrix (out, rest)."""
        assert parameter.grad is not None
        momentum = self.state[parameter]["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        return parameter.grad.lerp(momentum, MOMENTUM).flatten(1).to(self._dtype)


def orthogonal(matrices: Tensor) -> Tensor:
    """Return about U V^T for each U S V^T of (N, rows, columns): singular values become about 1, zeros stay zero."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT.contiguous() if tall else matrices
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT.contiguous() if tall else x


class AveragedOptimiser:
    """Muon and AdamW for some parameters of a model, and their moving average, which is the result.

    Args:
        parameters: the trained parameters by name; all on one device, in float32.
        weight_decay: fraction of a weight that a step with learning rate 1 would subtract.
        average: decay of the moving average per step.
        muon: train the matrices among them with Muon and the rest with AdamW; False: all with AdamW.
        precision: precision of the forward pass, also used for Muon.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        weight_decay: float,
        average: float,
        muon: bool = True,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.parameters = dict(parameters)
        self.device = next(iter(self.parameters.values())).device
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}
        self._decay = average
        self._moments: dict[str, dict[str, Tensor]] = {}
        self._optimisers: list[torch.optim.Optimizer] = []
        matrices = {name: p for name, p in self.parameters.items() if muon and suits(p)}
        others = {name: p for name, p in self.parameters.items() if name not in matrices}
        if matrices:
            optimiser = Muon(matrices.values(), weight_decay, precision)
            self._optimisers.append(optimiser)
            for name, parameter in matrices.items():
                self._moments[name] = {"first_moment": optimiser.state[parameter]["momentum"]}
        if others:
            self._optimisers.append(
                torch.optim.AdamW(others.values(), lr=0.0, betas=(0.9, 0.95), weight_decay=weight_decay, fused=True)
            )
        for name, parameter in others.items():  # as the optimiser's first step would, but already here
            moments = {
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }
            self._optimisers[-1].state[parameter] = {"step": torch.zeros((), device=self.device), **moments}
            self._moments[name] = {"first_moment": moments["exp_avg"], "second_moment": moments["exp_avg_sq"]}

    def forget_gradients(self) -> None:
        """Clear the gradients for the next step."""
        for parameter in self.parameters.values():
            parameter.grad = None

    @torch.no_grad()  # or the average would keep a graph of every step
    def update(self, rate: float, step: int) -> None:
        """Update the weights as step ``step`` (from 1), and their average."""
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        # At first the average follows closely, so that it forgets the random start.
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)

    @torch.no_grad()
    def tensors(self, compact: bool = False) -> dict[str, Tensor]:
        """Return everything by name: views, except what ``compact`` stores in bfloat16.

        Compact takes 8 to 10 bytes per parameter instead of 12 to 16: weights stay float32; moments (Muon has one,
        AdamW two) and the difference between the average and the weights become bfloat16 (8 bits of precision).
        """
        found: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            found[f"weights.{name}"] = parameter.detach()
            for kind, moment in self._moments[name].items():
                found[f"{kind}.{name}"] = moment.bfloat16() if compact else moment
            if compact:
                found[f"average_offset.{name}"] = (self.average[name] - parameter).bfloat16()
            else:
                found[f"average.{name}"] = self.average[name]
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Load what `tensors` returned after ``step`` steps.

        Raises:
            AdairError: a tensor is missing or has another shape; the object is unusable then.
        """
        for name, parameter in self.parameters.items():
            targets = {"weights": parameter, **self._moments[name]}
            offset = f"average_offset.{name}" in tensors
            targets["average_offset" if offset else "average"] = self.average[name]
            for kind, target in targets.items():
                found = tensors.get(f"{kind}.{name}")
                if found is None or found.shape != target.shape:
                    raise AdairError(
                        f"the checkpoint does not fit at {kind}.{name}: it belongs to another network or another "
                        "--optimiser; choose the same, or start without --resume"
                    )
                target.copy_(found)
            if offset:
                self.average[name].add_(parameter)
        self.set_step(step)

    def set_step(self, step: int) -> None:
        """Set the number of steps in the optimisers' state."""
        for optimiser in self._optimisers:
            for kept in optimiser.state.values():
                if "step" in kept:  # Muon has no step count
                    kept["step"].fill_(step)

    @contextmanager
    def averaged(self, instead: Mapping[str, Tensor] | None = None) -> Iterator[None]:
        """Temporarily put the averaged weights, or others with the same names, into the model."""
        weights: list[Tensor] = list(self.parameters.values())
        average = [(instead or self.average)[name] for name in self.parameters]
        kept = [parameter.detach().clone() for parameter in weights]
        with torch.no_grad():
            torch._foreach_copy_(weights, average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(weights, kept)
