"""A frozen network with adapters on it: attach, detach, switch, blend, merge, unmerge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from adair.adapters.adapter import Adapter, Branch
from adair.backbones import named_sites
from adair.errors import AdapterMismatchError, InputError


class Blend(nn.Module):
    """The module at one site: the sum of the attached adapters' branches, each multiplied by its strength.

    The branches belong to their adapters. They are not registered as parameters of this module, so that the network
    with the site still has exactly its published tensors.
    """

    def __init__(self, branches: Sequence[tuple[Branch, float]]) -> None:
        super().__init__()
        self.branches = tuple(branches)

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) if strength == 1 else branch(x) * strength for branch, strength in self.branches]
        total: Tensor = sum(parts[1:], start=parts[0])
        return total


class AdaptedModel(nn.Module):
    """A frozen network, (N, 3, H, W) to (N, 3, H, W), and the adapters that currently act on it.

    Attached adapters act on the fly, and gradients reach only their parameters. Merged adapters are folded into the
    network's weights and cost nothing; the original weights are kept and can be restored bit-identically.

    Args:
        model: the network, whose parameters are frozen. While it is wrapped, nothing else should change it.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.adapters = nn.ModuleList()
        self._strengths: list[float] = []
        self._originals: dict[str, Tensor] = {}

    @property
    def attached(self) -> dict[Adapter, float]:
        """The attached adapters and their strengths."""
        return dict(zip(self._attached_adapters(), self._strengths, strict=True))

    @property
    def merged(self) -> bool:
        """Whether adapters are folded into the weights."""
        return bool(self._originals)

    def attach(self, adapters: Adapter | Mapping[Adapter, float], strength: float = 1.0) -> None:
        """Attach adapters to the network, instead of those that are attached (so this also switches and re-blends).

        Args:
            adapters: one, or several with a strength each; any mix of kinds. They move to the network's device.
            strength: for a single adapter: 1 is as trained, 0 is exactly the foundation; the change that the adapter
                makes to weights (or adds at a site) scales with it.

        Raises:
            AdapterMismatchError: an adapter made for a network of other shapes.
            InputError: a strength that is not finite. In both cases, the attached adapters do not change.
        """
        chosen = dict(adapters) if isinstance(adapters, Mapping) else {adapters: strength}
        for adapter, value in chosen.items():
            if not math.isfinite(value):
                raise InputError(
                    f"strength {value} of a {adapter.kind} adapter is not a finite number; 1 is as trained"
                )
            self._check_fit(adapter)
        self.detach()
        device = next(self.model.parameters()).device
        self.adapters = nn.ModuleList(adapter.to(device) for adapter in chosen)
        self._strengths = [float(value) for value in chosen.values()]
        for name, site in named_sites(self.model):
            branches = [
                (adapter.branches()[name], value)
                for adapter, value in self.attached.items()
                if value != 0 and name in adapter.branches()
            ]
            site.adapter = Blend(branches) if branches else None

    def detach(self) -> None:
        """Detach all adapters; the network is bit-identical to what it was before."""
        self.unmerge()
        for _, site in named_sites(self.model):
            site.adapter = None
        self.adapters = nn.ModuleList()
        self._strengths = []

    @torch.no_grad()
    def merge(self) -> None:
        """Fold weight changes of the adapters into the weights; branches at sites remain active.

        Merging again does nothing.
        """
        if self.merged:
            return
        parameters = dict(self.model.named_parameters())
        for name, weight in self._effective_weights().items():
            self._originals[name] = parameters[name].detach().clone()
            parameters[name].copy_(weight)

    @torch.no_grad()
    def unmerge(self) -> None:
        """Restore the network's weights bit-identically; the adapters stay attached and act on the fly again."""
        parameters = dict(self.model.named_parameters())
        for name, original in self._originals.items():
            parameters[name].copy_(original)
        self._originals = {}

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x``, RGB (N, 3, H, W) in 0..1, with the attached adapters."""
        weights = {} if self.merged else self._effective_weights()
        restored: Tensor = functional_call(self.model, weights, (x,)) if weights else self.model(x)
        return restored

    def _effective_weights(self) -> dict[str, Tensor]:
        """Return every weight that adapters change, with the change; differentiable in the adapters' parameters."""
        parameters = dict(self.model.named_parameters())
        total: dict[str, Tensor] = {}
        # Sums of weights stay in full precision also under autocast, so that attached and merged agree.
        with torch.autocast(next(iter(parameters.values())).device.type, enabled=False):
            for adapter, strength in self.attached.items():
                if strength != 0:
                    for name, delta in adapter.deltas().items():
                        weight = total[name] if name in total else parameters[name].float()
                        total[name] = delta.added_to(weight, strength)
        return {name: weight.to(parameters[name].dtype) for name, weight in total.items()}

    def _attached_adapters(self) -> list[Adapter]:
        return [adapter for adapter in self.adapters if isinstance(adapter, Adapter)]

    def _check_fit(self, adapter: Adapter) -> None:
        shapes = {name: tuple(parameter.shape) for name, parameter in self.model.named_parameters()}
        channels = {name: site.channels for name, site in named_sites(self.model)}
        wrong = [name for name, delta in adapter.deltas().items() if shapes.get(name) != delta.shape]
        wrong += [name for name, branch in adapter.branches().items() if channels.get(name) != branch.channels]
        if wrong:
            raise AdapterMismatchError(
                f"the {adapter.kind} adapter does not fit this network at {wrong[0]}; "
                "use the foundation that it was made for"
            )
