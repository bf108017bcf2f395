"""Restormer: a U-shaped transformer whose attention runs across channels (Zamir et al. 2022, arXiv 2111.09881).

Parameter names are those of the published checkpoints, which can be loaded as foundations.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.backbones.convolution import Conv2d
from adair.backbones.layers import LayerNorm2d
from adair.backbones.sites import Site
from adair.errors import AdairError

MULTIPLE = 8  # three halvings


def named(**modules: nn.Module) -> nn.Sequential:
    """Wrap modules under the names that they have in the published checkpoints."""
    return nn.Sequential(OrderedDict(modules))


def norm(channels: int, bias: bool) -> nn.Sequential:
    """Layer normalisation; with ``bias`` it also subtracts the mean and learns a shift."""
    return named(body=LayerNorm2d(channels, eps=1e-5, centre=bias))


def halve(channels: int) -> nn.Sequential:
    """Half the size, twice the channels: a bias-free 3x3 convolution, then 2x2 pixels become channels."""
    return named(body=nn.Sequential(Conv2d(channels, channels // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2)))


def double(channels: int) -> nn.Sequential:
    """Twice the size, half the channels: the reverse of `halve`."""
    return named(body=nn.Sequential(Conv2d(channels, 2 * channels, 3, padding=1, bias=False), nn.PixelShuffle(2)))


class ChannelAttention(nn.Module):
    """Multi-Dconv head transposed attention (equation 1): channels attend to channels over all pixels.

    The map is (channels / heads) squared whatever the size of the image, so the cost is linear in pixels.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_dwconv = Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False)
        self.project_out = Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        rows = self.qkv_dwconv(self.qkv(x)).reshape(batch, 3, self.heads, channels // self.heads, height * width)
        query, key, value = rows.unbind(1)
        similarity = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-1, -2)
        mixed = (similarity * self.temperature).softmax(dim=-1) @ value
        out: Tensor = self.project_out(mixed.reshape(batch, channels, height, width))
        return out


class GatedFeedForward(nn.Module):
    """Gated-Dconv feed-forward network (equation 2): one half of the hidden channels gates the other through GELU."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = Conv2d(channels, 2 * hidden, 1, bias=False)
        self.dwconv = Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, content = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        out: Tensor = self.project_out(F.gelu(gate) * content)
        return out


class TransformerBlock(nn.Module):
    """Attention, then feed-forward; both residual and normalised, each with an adapter site in parallel.

    Args:
        channels: channels in and out.
        heads: attention heads; divides ``channels``.
        expansion: hidden channels of the feed-forward branch, as a multiple of ``channels``.
        norm_bias: norms subtract the mean and learn a shift.
    """

    def __init__(self, channels: int, heads: int, expansion: float, norm_bias: bool) -> None:
        super().__init__()
        self.norm1 = norm(channels, norm_bias)
        self.attn = ChannelAttention(channels, heads)
        self.norm2 = norm(channels, norm_bias)
        self.ffn = GatedFeedForward(channels, expansion)
        self.site1 = Site(channels)
        self.site2 = Site(channels)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + self.site1(normed, self.attn(normed))
        normed = self.norm2(x)
        x = x + self.site2(normed, self.ffn(normed))
        return x


class Restormer(nn.Module):
    """Four levels with concatenating skips and a refinement stage; predicts the correction to its input.

    Args:
        width: channels at full resolution (a multiple of 2); each level below has twice as many at half the size.
        blocks: transformer blocks of the four levels, full resolution first; the last is the lowest level.
        refinement: blocks after the decoder, at full resolution.
        heads: attention heads of the four levels.
        expansion: see `TransformerBlock`.
        norm_bias: see `TransformerBlock`; the published deraining and deblurring weights have it, the denoising
            ones do not.
    """

    def __init__(
        self,
        width: int,
        blocks: Sequence[int],
        refinement: int,
        heads: Sequence[int],
        expansion: float,
        norm_bias: bool,
    ) -> None:
        super().__init__()
        if width % 2:
            raise AdairError(f"restormer: width {width} is odd; give an even one")

        def stage(channels: int, heads: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(TransformerBlock(channels, heads, expansion, norm_bias) for _ in range(count)))

        w1, w2, w3, w4 = (width * 2**level for level in range(4))
        self.patch_embed = named(proj=Conv2d(3, w1, 3, padding=1, bias=False))
        self.encoder_level1 = stage(w1, heads[0], blocks[0])
        self.down1_2 = halve(w1)
        self.encoder_level2 = stage(w2, heads[1], blocks[1])
        self.down2_3 = halve(w2)
        self.encoder_level3 = stage(w3, heads[2], blocks[2])
        self.down3_4 = halve(w3)
        self.latent = stage(w4, heads[3], blocks[3])
        self.up4_3 = double(w4)
        self.reduce_chan_level3 = Conv2d(2 * w3, w3, 1, bias=False)
        self.decoder_level3 = stage(w3, heads[2], blocks[2])
        self.up3_2 = double(w3)
        self.reduce_chan_level2 = Conv2d(2 * w2, w2, 1, bias=False)
        self.decoder_level2 = stage(w2, heads[1], blocks[1])
        self.up2_1 = double(w2)
        # At full resolution the concatenated channels are not reduced (section 3 of the paper).
        self.decoder_level1 = stage(w2, heads[0], blocks[0])
        self.refinement = stage(w2, heads[0], refinement)
        self.output = Conv2d(w2, 3, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` (N, 3, H, W), RGB in 0..1, any H and W from 1 up; the output has the same shape and precision.

        The network may hold its weights in a lower precision than ``x``: only the correction is computed in it, and
        added to the original ``x``. Sides that are not multiples of 8 are extended by their last row and column, since
        zeros would count in the attention.
        """
        height, width = x.shape[-2:]
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        y = F.pad(x.to(self.output.weight.dtype), padding, mode="replicate")
        level1 = self.encoder_level1(self.patch_embed(y))
        level2 = self.encoder_level2(self.down1_2(level1))
        level3 = self.encoder_level3(self.down2_3(level2))
        y = self.latent(self.down3_4(level3))
        y = self.decoder_level3(self.reduce_chan_level3(torch.cat([self.up4_3(y), level3], dim=1)))
        y = self.decoder_level2(self.reduce_chan_level2(torch.cat([self.up3_2(y), level2], dim=1)))
        y = self.decoder_level1(torch.cat([self.up2_1(y), level1], dim=1))
        correction: Tensor = self.output(self.refinement(y))[..., :height, :width]
        return x + correction.to(x.dtype)
