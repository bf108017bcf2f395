"""All-in-one networks with prompts, on any backbone: on a Restormer this is PromptIR, made small.

Written from the equations of PromptIR (Potlapalli et al. 2023, arXiv 2306.13090, section 3).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.backbones.convolution import Conv2d
from adair.backbones.nafnet import NAFBlock, NAFNet
from adair.backbones.registry import NAFNetConfig
from adair.backbones.restormer import TransformerBlock
from adair.studies.budget import Shape
from adair.studies.networks import Model, Trained, backbone_text, bare, taught
from adair.studies.workspace import Workspace
from adair.train.trainer import channels_last

COMPONENTS = 5  # prompts at each level, as in PromptIR
SIDE = 8  # pixels of a prompt before it is enlarged; our choice, since our patches are smaller than PromptIR's


class PromptBlock(nn.Module):
    """Prompt generation and prompt interaction, between two levels of the decoder.

    Generation: learned components, each a small feature map, are mixed with softmax weights computed from the mean of
    the features, enlarged bilinearly to the size of the features, and convolved (3x3). Interaction: features and
    prompt are concatenated and pass through a block of the backbone; a 3x3 convolution restores the number of channels.

    Args:
        channels: channels of the features.
        block: makes a block of the backbone for a number of channels.
    """

    def __init__(self, channels: int, block: Callable[[int], nn.Module]) -> None:
        super().__init__()
        prompt = prompt_channels(channels)
        self.components = nn.Parameter(torch.rand(COMPONENTS, prompt, SIDE, SIDE))
        self.weigh = nn.Linear(channels, COMPONENTS)
        self.refine = Conv2d(prompt, prompt, 3, padding=1)
        self.interact = block(channels + prompt)
        self.reduce = Conv2d(channels + prompt, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features with the shape of ``x`` (N, channels, H, W)."""
        weights = self.weigh(x.mean(dim=(2, 3))).softmax(dim=1)
        prompt = torch.einsum("nk,kchw->nchw", weights, self.components.to(weights.dtype))
        prompt = F.interpolate(prompt, size=x.shape[-2:], mode="bilinear", align_corners=False)
        both = torch.cat([x, self.refine(prompt).to(x.dtype)], dim=1)
        out: Tensor = self.reduce(self.interact(both))
        return out


def prompt_channels(channels: int) -> int:
    """Return the channels of the prompt for features with ``channels``: half as many (our choice), at least 4."""
    return max(4, channels // 2)


def add_prompts(model: nn.Module, form: Shape) -> None:
    """Put a prompt block before every upsampling of the decoder of ``model``, a backbone of shape ``form``."""
    if isinstance(form, NAFNetConfig):
        assert isinstance(model, NAFNet)
        stride = model.border.multiple
        for level, up in enumerate(model.ups):
            block: Callable[[int], nn.Module] = partial(NAFBlock, stride=stride)
            model.ups[level] = nn.Sequential(PromptBlock(form.width * stride, block), up)
            stride //= 2
        return
    for name, level in (("up4_3", 3), ("up3_2", 2), ("up2_1", 1)):
        channels = form.width * 2**level
        heads = math.gcd(form.heads[level], channels + prompt_channels(channels))
        block = partial(TransformerBlock, heads=heads, expansion=form.expansion, norm_bias=form.norm_bias)
        setattr(model, name, nn.Sequential(PromptBlock(channels, block), getattr(model, name)))


@dataclasses.dataclass(frozen=True)
class Prompted(Trained):
    """A backbone with a prompt block before every upsampling of its decoder, trained from scratch.

    Attributes:
        form: shape of the backbone.
    """

    form: Shape

    @property
    def title(self) -> str:
        return f"{backbone_text(self.form)} with prompts: {taught(self.course)}"

    @property
    def shape(self) -> Shape:
        return self.form

    def build(self, workspace: Workspace) -> Model:
        torch.manual_seed(self.course.seed)
        model = bare(self.form, workspace)
        add_prompts(model, self.form)
        return Model(channels_last(model.to(workspace.device)), dict(model.named_parameters()))
