"""Growing a NAFNet: weights for a wider or deeper network that computes the same, as a start for training.

Every channel becomes several that hold the same values (Net2WiderNet, Chen et al. 2016, arXiv 1511.05641, section 2.2):
their consumers divide their weights among them, in random shares, because equal channels would otherwise get equal
gradients and stay equal forever. Layer normalisation sees the same mean and variance as before. New blocks follow the
old ones of their level; their ``beta`` and ``gamma`` are zero, so they pass their input on (Net2DeeperNet).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from adair.backbones.nafnet import NAFNet
from adair.errors import AdairError

SHUFFLED = 4  # channels that pixel shuffling turns into one: they stay together


def grow(weights: Mapping[str, Tensor], model: NAFNet, generator: torch.Generator) -> dict[str, Tensor]:
    """Return a state for ``model`` with which it computes the same as a smaller NAFNet with these ``weights``.

    Args:
        weights: the state of a NAFNet with as many levels, at most as many blocks at each, and a width that divides
            that of ``model``.
        model: the larger network, newly built: blocks that ``weights`` lack are taken from it.
        generator: the shares are drawn from it (on the CPU).

    Raises:
        AdairError: ``model`` is not such a network.
    """
    larger = model.state_dict()
    new_layers = {name for name in larger.keys() - weights.keys() if name.startswith(("downs.", "ups."))}
    if new_layers or weights.keys() - larger.keys():
        raise AdairError("a network can grow in width and blocks; it keeps its levels and all its blocks")
    return {
        name: _fit(name, weights[name].cpu(), like.shape, generator).to(like) if name in weights else like.clone()
        for name, like in larger.items()
    }


def _fit(name: str, weight: Tensor, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return ``weight`` in the larger ``shape``: channels out repeated, channels in divided among their copies."""
    if any(new % old for new, old in zip(shape, weight.shape, strict=True)):
        raise AdairError(f"{name}: {tuple(weight.shape)} does not fit into {tuple(shape)} a whole number of times")
    group = SHUFFLED if name.startswith("ups.") else 1
    weight = weight.unflatten(0, (-1, group)).repeat_interleave(shape[0] // weight.shape[0], 0).flatten(0, 1)
    if weight.shape == shape:
        return weight
    copies = shape[1] // weight.shape[1]
    if name.endswith((".beta", ".gamma")):  # one number for each channel, (1, C, 1, 1)
        return weight.repeat_interleave(copies, 1)
    shares = 0.5 + torch.rand(*weight.shape[:2], copies, generator=generator, dtype=torch.double)
    shares /= shares.sum(dim=2, keepdim=True)
    return (weight.unsqueeze(2) * shares[..., None, None]).flatten(1, 2)
