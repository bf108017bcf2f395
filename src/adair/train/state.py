"""The state of training: weights, their moving average and the optimiser's moments; what a checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from adair.errors import AdairError


class State:
    """Some parameters of a model with all that training keeps about them.

    Args:
        parameters: what is trained, by name; all on one device, in float32.
        weight_decay: AdamW's.
        average: decay of the moving average a step.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], weight_decay: float, average: float) -> None:
        self.parameters = dict(parameters)
        self.device = next(iter(self.parameters.values())).device
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}
        self._decay = average
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=0.0, betas=(0.9, 0.95), weight_decay=weight_decay, fused=True
        )
        for parameter in self.parameters.values():  # as the optimiser's first step would, but here from the start
            self.optimiser.state[parameter] = {
                "step": torch.zeros((), device=self.device),
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }

    def update(self, rate: float, step: int) -> None:
        """Let the gradients change the weights, as step ``step`` (from 1), and the average follow."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        # Early on the average follows closely, so that it does not drag the random start along.
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1 - decay)

    @torch.no_grad()
    def tensors(self, compact: bool = False) -> dict[str, Tensor]:
        """Return everything by name: views, but for what ``compact`` stores in bfloat16.

        Compact takes 10 bytes a parameter in place of 16: weights stay float32, both moments and the difference
        between the average and the weights become bfloat16 (8 bits of precision).
        """
        found: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            moments = self.optimiser.state[parameter]
            found[f"weights.{name}"] = parameter.detach()
            found[f"first_moment.{name}"] = moments["exp_avg"]
            found[f"second_moment.{name}"] = moments["exp_avg_sq"]
            found[f"average.{name}"] = self.average[name]
            if compact:
                found[f"average_offset.{name}"] = (found.pop(f"average.{name}") - parameter).bfloat16()
                for kind in ("first_moment", "second_moment"):
                    found[f"{kind}.{name}"] = found[f"{kind}.{name}"].bfloat16()
        return found

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Take over what `tensors` gave after ``step`` steps.

        Raises:
            AdairError: a tensor is missing or has another shape; the state is then of no further use.
        """
        for name, parameter in self.parameters.items():
            moments = self.optimiser.state[parameter]
            targets = {"weights": parameter, "first_moment": moments["exp_avg"], "second_moment": moments["exp_avg_sq"]}
            offset = f"average_offset.{name}" in tensors
            targets["average_offset" if offset else "average"] = self.average[name]
            for kind, target in targets.items():
                found = tensors.get(f"{kind}.{name}")
                if found is None or found.shape != target.shape:
                    raise AdairError(
                        f"the checkpoint does not fit this network at {kind}.{name}; start without --resume"
                    )
                target.copy_(found)
            if offset:
                self.average[name].add_(parameter)
        self.set_step(step)

    def set_step(self, step: int) -> None:
        """Tell the optimiser how many steps its moments have seen."""
        for moments in self.optimiser.state.values():
            moments["step"].fill_(step)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while."""
        weights: list[Tensor] = list(self.parameters.values())
        average = list(self.average.values())
        kept = [parameter.detach().clone() for parameter in weights]
        with torch.no_grad():
            torch._foreach_copy_(weights, average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(weights, kept)
