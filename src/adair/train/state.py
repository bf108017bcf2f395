"""The state of training: weights, their moving average and the optimiser's moments; what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from adair.errors import AdairError
from adair.train.muon import Muon, suits


class State:
    """Some parameters of a model with all that training keeps about them.

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
