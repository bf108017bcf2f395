"""Sites: the places in a block where an adapter may act in parallel to the frozen branch."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


class Site(nn.Module):
    """Adds ``adapter(x)`` to the output of a parallel branch; without an adapter it does nothing.

    A site owns no parameters of its own, so a backbone with sites has exactly the published parameter names.

    Args:
        channels: number of channels of the branch's input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.adapter: nn.Module | None = None

    def forward(self, x: Tensor, branch: Tensor) -> Tensor:
        """Return ``branch``, plus the adapter's output for the branch's input ``x`` if one is attached."""
        return branch if self.adapter is None else branch + self.adapter(x)


def named_sites(model: nn.Module) -> Iterator[tuple[str, Site]]:
    """Yield every site of a backbone with its dotted name, in the order of the network."""
    for name, module in model.named_modules():
        if isinstance(module, Site):
            yield name, module
