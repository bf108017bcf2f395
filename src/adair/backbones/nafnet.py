"""NAFNet: a U-shaped restoration network without non-linear activations (Chen et al. 2022, arXiv 2204.04676).

Parameter names are those of the published checkpoints, which can be loaded as foundations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from adair.backbones.convolution import Conv2d, convolve
from adair.backbones.layers import Border, LayerNorm2d
from adair.backbones.pooling import ChannelPool
from adair.backbones.sites import Site


class SimpleGate(nn.Module):
    """Product of the two halves of the channels (equation 4 of the paper): 2C channels in, C out."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad and not torch.compiler.is_compiling():
            out: Tensor = _TrainedGate.apply(x)  # type: ignore[no-untyped-call]
            return out
        first, second = x.chunk(2, dim=1)
        return first * second


class _TrainedGate(torch.autograd.Function):
    """The gate whose backward pass writes both halves in place, where autograd would make two tensors and join them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        first, second = x.chunk(2, dim=1)
        return first * second

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        passed_on = torch.empty_like(x)
        for half, other in zip(passed_on.chunk(2, dim=1), reversed(x.chunk(2, dim=1)), strict=True):
            torch.mul(gradient, other, out=half)
        return passed_on


def scaled_conv1x1(x: Tensor, conv: nn.Conv2d, scale: Tensor) -> Tensor:
    """Return ``conv(x) * scale`` for a scale of one number per channel, (1, C, 1, 1).

    Scaling the small weight rather than the large output saves a pass over memory, and two more backwards.
    """
    assert conv.bias is not None
    return convolve(x, conv.weight * scale.view(-1, 1, 1, 1), conv.bias * scale.view(-1))


def affine_conv1x1(x: Tensor, norm: LayerNorm2d, conv: nn.Conv2d) -> Tensor:
    """Return ``conv(norm.affine(x))`` for an ``x`` (N, C, H, W) that ``norm`` has normalised.

    The affine part goes into the small weight: one pass over memory less, and in bfloat16 on a CPU its gradients come
    out right (`LayerNorm2d.normalise`).
    """
    assert conv.bias is not None and norm.bias is not None
    weight = conv.weight
    bias = conv.bias + (weight[:, :, 0, 0] * norm.bias).sum(dim=1)
    return convolve(x, weight * norm.weight.view(1, -1, 1, 1), bias)


class NAFBlock(nn.Module):
    """The block of figure 3c: a depthwise branch with simplified channel attention, then a gated feed-forward branch.

    Both branches are residual, scaled by learned ``beta`` and ``gamma`` that start at zero.

    Args:
        channels: channels in and out.
        stride: how many pixels of the image one pixel at this level covers.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm2d(channels)
        self.conv1 = Conv2d(channels, 2 * channels, 1)
        self.conv2 = Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(ChannelPool(stride), Conv2d(channels, channels, 1))
        self.conv3 = Conv2d(channels, channels, 1)
        self.norm2 = LayerNorm2d(channels)
        self.conv4 = Conv2d(channels, 2 * channels, 1)
        self.conv5 = Conv2d(channels, channels, 1)
        self.gate = SimpleGate()
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.site1 = Site(channels)
        self.site2 = Site(channels)

    def forward(self, x: Tensor) -> Tensor:
        normal = self.norm1.normalise(x)
        y = self.gate(self.conv2(affine_conv1x1(normal, self.norm1, self.conv1)))
        y = y * self.pool.spread(self.sca(y), *y.shape[-2:])
        x = x + self._with_adapter(self.site1, self.norm1, normal, scaled_conv1x1(y, self.conv3, self.beta))
        normal = self.norm2.normalise(x)
        y = self.gate(affine_conv1x1(normal, self.norm2, self.conv4))
        return x + self._with_adapter(self.site2, self.norm2, normal, scaled_conv1x1(y, self.conv5, self.gamma))

    @staticmethod
    def _with_adapter(site: Site, norm: LayerNorm2d, normal: Tensor, branch: Tensor) -> Tensor:
        """Return ``branch`` plus the output of an adapter at ``site``, which sees the published block's input."""
        out: Tensor = branch if site.adapter is None else site(norm.affine(normal), branch)
        return out

    @property
    def pool(self) -> ChannelPool:
        """The statistics that the channel attention uses."""
        pool = self.sca[0]
        assert isinstance(pool, ChannelPool)
        return pool


class NAFNet(nn.Module):
    """Encoder and decoder of NAF blocks with additive skips; predicts the correction to its input.

    Args:
        width: channels at full resolution; each level below has twice as many at half the resolution.
        encoder: blocks at each level on the way down.
        middle: blocks at the lowest level.
        decoder: blocks at each level on the way up, lowest first; as many levels as ``encoder``.
        unshuffle: the blocks see the image at 1/unshuffle of its resolution (pixel unshuffling, as in FFDNet, arXiv
            1710.04026): with 2 in less than a third of the time, for images whose finest detail is missing anyway.
            `build_backbone` refuses what does not fit the grid of tiles.
    """

    def __init__(
        self, width: int, encoder: Sequence[int], middle: int, decoder: Sequence[int], unshuffle: int = 1
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.border = Border(unshuffle * 2 ** len(encoder))
        # Pixel unshuffling and a 3x3 convolution in one: strides over squares of unshuffle x unshuffle pixels.
        self.intro = Conv2d(3, width, 3 * unshuffle, stride=unshuffle, padding=unshuffle)
        self.ending = Conv2d(width, 3 * unshuffle**2, 3, padding=1)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        channels, stride = width, unshuffle
        for blocks in encoder:
            self.encoders.append(nn.Sequential(*(NAFBlock(channels, stride) for _ in range(blocks))))
            self.downs.append(Conv2d(channels, 2 * channels, 2, stride=2))
            channels, stride = 2 * channels, 2 * stride
        self.middle_blks = nn.Sequential(*(NAFBlock(channels, stride) for _ in range(middle)))
        for blocks in decoder:
            self.ups.append(nn.Sequential(Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2)))
            channels, stride = channels // 2, stride // 2
            self.decoders.append(nn.Sequential(*(NAFBlock(channels, stride) for _ in range(blocks))))

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` (N, 3, H, W), RGB in 0..1, any H and W from 1 up; the output has the same shape and precision.

        The network may hold its weights in a lower precision than ``x``: only the correction is computed in it, and
        added to ``x`` as it came.
        """
        height, width = x.shape[-2:]
        y = self.body(self.intro(self.border(x.to(self.intro.weight.dtype))))
        y = F.pixel_shuffle(self.ending(y), self.unshuffle)
        out: Tensor = x + y[..., :height, :width].to(x.dtype)
        return out

    def body(self, y: Tensor) -> Tensor:
        """Return features (N, width, h, w) as they go into the last layer, from those that the first one gave."""
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            y = blocks(y)
            skips.append(y)
            y = down(y)
        y = self.middle_blks(y)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            y = blocks(up(y) + skips.pop())
        return y
