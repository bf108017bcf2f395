"""Layers that both backbones share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Layer normalisation over the channels of every pixel of an NCHW tensor (Ba et al. 2016, arXiv 1607.06450).

    Normalising the channels-last view keeps one fused kernel; for a channels-last tensor no data moves.

    Args:
        channels: number of channels.
        eps: added to the variance.
        centre: subtract the mean and learn a bias; without it the input is only divided by its standard deviation
            ("bias-free" in Restormer, arXiv 2111.09881), so that the output stays proportional to the contrast.
    """

    def __init__(self, channels: int, eps: float = 1e-6, centre: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if centre else None

    def normalise(self, x: Tensor) -> Tensor:
        """Return ``x`` (N, C, H, W) centred and divided by its standard deviation, without the learned affine part.

        For a network that folds that part into its next convolution. The gradients of weight and bias are sums over all
        pixels; PyTorch's bfloat16 layer norm on a CPU loses most of them, a convolution loses nothing.
        """
        last = x.permute(0, 2, 3, 1)
        return F.layer_norm(last, (last.shape[-1],), eps=self.eps).permute(0, 3, 1, 2)

    def affine(self, normalised: Tensor) -> Tensor:
        """Apply the learned weight and bias to what `normalise` returned (N, C, H, W)."""
        assert self.bias is not None
        return normalised * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (N, C, H, W), keeping shape and precision."""
        last = x.permute(0, 2, 3, 1)
        if self.bias is not None:
            last = F.layer_norm(last, (last.shape[-1],), self.weight, self.bias, self.eps)
        else:
            variance = last.var(dim=-1, keepdim=True, unbiased=False)
            last = last * torch.rsqrt(variance + self.eps) * self.weight
        return last.permute(0, 3, 1, 2)


class Border(nn.Module):
    """Extends an image at the right and the bottom, so that both sides become multiples of ``multiple``.

    Zeros, as in the published NAFNet, are a black frame that no photo has: attention sees it from far away, and with
    noise of sigma 50 it cost 0.2 to 1 dB on photos of 481x321. So the image is mirrored when restoring
    (`set_local_statistics` switches); sides shorter than the mirrored part repeat their first pixel beyond it.
    """

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple
        self.mirrored = False

    def forward(self, x: Tensor) -> Tensor:
        """Extend ``x`` (N, C, H, W)."""
        height, width = x.shape[-2:]
        if not self.mirrored:
            return F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple))
        for axis in (-2, -1):
            length = x.shape[axis]
            missing = -length % self.multiple
            if isinstance(missing, int) and missing == 0:  # a symbol while exporting
                continue
            place = torch.arange(length + missing, device=x.device)
            x = x.index_select(axis, torch.minimum(place, 2 * length - 1 - place).clamp(min=0))
        return x
