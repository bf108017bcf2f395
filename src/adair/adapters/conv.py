"""Kind ``conv``: small convolutional branches parallel to the frozen ones (the adapter of AdaIR, arXiv 2404.11475).

1x1 down, activation, depthwise 3x3, 1x1 up; the depthwise convolution gives it the locality that degradations which the
foundation has not seen need. Not linear in the network's weights, so it cannot be merged and costs time when restoring.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.adapters.adapter import Adapter, Branch, Fits, largest, plant
from adair.backbones import named_sites
from adair.errors import AdairError

SITES = {"both": ("site1", "site2"), "first": ("site1",), "second": ("site2",)}


class ConvBranch(Branch):
    """The branch at one site: ``channels`` in and out, ``hidden`` in between; zero until trained."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.channels = channels
        self.down = nn.Conv2d(channels, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.up = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return this branch's part of the output, in the precision of ``x`` (N, C, H, W)."""
        y = _convolve(F.gelu(_convolve(x, self.down)), self.depthwise)
        return _convolve(y, self.up)


class ConvAdapter(Adapter):
    """Branches at the sites of every block.

    Args:
        model: the network; only its sites are used.
        reduction: a branch has 1/reduction of its site's channels inside, and 4 at least.
        sites: "both" sites of every block, the "first" (attention) or the "second" (feed-forward).

    Raises:
        AdairError: an option out of its range, or a network without sites.
    """

    kind: ClassVar[str] = "conv"

    def __init__(self, model: nn.Module, reduction: int = 8, sites: str = "both") -> None:
        if type(reduction) is not int or reduction < 1:
            raise AdairError(f"conv adapter: reduction must be a positive integer, not {reduction!r}")
        if not isinstance(sites, str) or sites not in SITES:
            raise AdairError(f"conv adapter: sites must be one of {', '.join(SITES)}, not {sites!r}")
        super().__init__({"reduction": reduction, "sites": sites})
        self._branches: dict[str, ConvBranch] = {}
        for name, site in named_sites(model):
            if name.rpartition(".")[2] in SITES[sites]:
                self._branches[name] = ConvBranch(site.channels, max(4, site.channels // reduction))
                plant(self, name, self._branches[name])
        if not self._branches:
            raise AdairError("conv adapter: the network has no sites")

    @classmethod
    def fit(cls, model: nn.Module, fits: Fits) -> dict[str, Any]:
        """Return the smallest reduction that fits."""
        widest = max(max(parameter.shape) for parameter in model.parameters())
        reduction = largest(range(widest, 0, -1), lambda value: fits({"reduction": value}))
        return {"reduction": reduction or widest}

    def initialise(self, generator: torch.Generator) -> None:
        """He initialisation (arXiv 1502.01852) inside, zero for the way up and the biases."""
        for branch in self._branches.values():
            nn.init.kaiming_normal_(branch.down.weight, generator=generator)
            nn.init.kaiming_normal_(branch.depthwise.weight, nonlinearity="linear", generator=generator)
            nn.init.zeros_(branch.up.weight)
            for part in (branch.down, branch.depthwise, branch.up):
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def branches(self) -> dict[str, Branch]:
        return dict(self._branches)


def _convolve(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """Apply a layer in the precision of its input; adapters stay float32 even if the foundation has lower precision."""
    bias = None if layer.bias is None else layer.bias.to(x.dtype)
    return F.conv2d(x, layer.weight.to(x.dtype), bias, padding=layer.padding, groups=layer.groups)
