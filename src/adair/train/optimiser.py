"""The optimiser: Muon for matrices, AdamW for all else, a moving average of the weights; what a checkpoint holds.

Muon's steps move a matrix of weights by the same amount in all its directions, the rare ones included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from adair.errors import AdairError

SMALLEST = 8  # channels in or out: below there are too few directions for the idea to matter
LARGEST = 256  # shorter side: on a CPU the steps of larger matrices would cost more than their gradients

MOMENTUM = 0.95
ITERATIONS = 4
# The quintic that drives all singular values towards 1 fastest, from anywhere in 0..1 to about 0.7..1.2.
QUINTIC = (3.4445, -4.7750, 2.0315)
LIKE_ADAM = 0.2  # root mean square of an update in units of the learning rate: about what AdamW's updates have


def suits(parameter: Tensor) -> bool:
    """Whether Muon is for ``parameter``: a weight (out, in, ...) that mixes channels, of a size that pays."""
    if parameter.ndim < 2 or min(parameter.shape[:2]) < SMALLEST:
        return False
    return min(parameter.shape[0], parameter[0].numel()) <= LARGEST


class Muon(torch.optim.Optimizer):
    """Momentum, then the nearest orthogonal matrix in its place (K. Jordan et al., "Muon", 2024).

    A weight (out, in, ...) counts as a matrix, out by all else. Updates are scaled to the size of AdamW's (arXiv
    2502.16982, section 2.2), so one learning rate serves both. PyTorch's own (2.9 and later) takes no convolutions.

    Args:
        parameters: those that `suits` accepts.
        weight_decay: share of a weight that a step at learning rate 1 would take away.
        dtype: precision in which matrices are made orthogonal; bfloat16 is enough where it is fast.
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
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.state[parameter]["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
                matrix = parameter.grad.lerp(momentum, MOMENTUM).flatten(1)  # one step ahead, as Nesterov's
                direction = orthogonal(matrix.to(self._dtype)).to(parameter.dtype).view_as(parameter)
                size = LIKE_ADAM * math.sqrt(max(matrix.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V^T of ``matrix`` = U S V^T, (rows, columns): singular values end near 1, zeros stay zero."""
    a, b, c = QUINTIC
    flat = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
    x: Tensor = flat / flat.norm().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x if flat is matrix else x.mT


class AveragedOptimiser:
    """Muon and AdamW over some parameters of a model, and a moving average of these, which is the result.

    Args:
        parameters: what is trained, by name; all on one device, in float32.
        weight_decay: share of a weight that a step at learning rate 1 would take away.
        average: decay of the moving average a step.
        muon: train the matrices among them with Muon, all else with AdamW; False: all with AdamW.
        precision: of the passes through the network, and good enough for Muon's.
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
        for name, parameter in others.items():  # as the optimiser's first step would, but here from the start
            moments = {
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }
            self._optimisers[-1].state[parameter] = {"step": torch.zeros((), device=self.device), **moments}
            self._moments[name] = {"first_moment": moments["exp_avg"], "second_moment": moments["exp_avg_sq"]}

    def forget_gradients(self) -> None:
        """Make room for the gradients of the next step."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def update(self, rate: float, step: int) -> None:
        """Let the gradients change the weights, as step ``step`` (from 1), and the average follow."""
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        # Early on the average follows closely, so that it does not drag the random start along.
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)

    @torch.no_grad()
    def tensors(self, compact: bool = False) -> dict[str, Tensor]:
        """Return everything by name: views, but for what ``compact`` stores in bfloat16.

        Compact takes 8 to 10 bytes a parameter in place of 12 to 16: weights stay float32, moments (Muon keeps one,
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
        """Take over what `tensors` gave after ``step`` steps.

        Raises:
            AdairError: a tensor is missing or has another shape; the state is then of no further use.
        """
        for name, parameter in self.parameters.items():
            targets = {"weights": parameter, **self._moments[name]}
            offset = f"average_offset.{name}" in tensors
            targets["average_offset" if offset else "average"] = self.average[name]
            for kind, target in targets.items():
                found = tensors.get(f"{kind}.{name}")
                if found is None or found.shape != target.shape:
                    raise AdairError(
                        f"the checkpoint does not fit at {kind}.{name}: it is of another network, or of another "
                        "--optimiser; choose that, or start without --resume"
                    )
                target.copy_(found)
            if offset:
                self.average[name].add_(parameter)
        self.set_step(step)

    def set_step(self, step: int) -> None:
        """Tell the optimisers how many steps their moments have seen."""
        for optimiser in self._optimisers:
            for kept in optimiser.state.values():
                if "step" in kept:  # Muon does not count
                    kept["step"].fill_(step)

    @contextmanager
    def averaged(self, instead: Mapping[str, Tensor] | None = None) -> Iterator[None]:
        """Put the averaged weights, or others of the same names, into the model for a while."""
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
