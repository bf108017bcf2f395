"""The paper's competing strategies on our backbone: (b) shared body with heads and tails, (c) all-in-one with prompts.

The prompt blocks are written from the equations of PromptIR (Potlapalli et al. 2023, arXiv 2306.13090, section 3).
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.backbones.convolution import Conv2d
from adair.backbones.layers import pad_to_multiple
from adair.backbones.nafnet import NAFBlock, NAFNet
from adair.backbones.registry import NAFNetConfig
from adair.studies.budget import Shape
from adair.studies.networks import Model, Trained, bare, taught
from adair.studies.workspace import Workspace
from adair.train.trainer import channels_last

COMPONENTS = 5  # prompts at each level, as in PromptIR
SIDE = 8  # pixels of a prompt before it is enlarged; our choice, since our patches are smaller than PromptIR's


class PromptBlock(nn.Module):
    """Prompt generation and prompt interaction, between two levels of the decoder.

    Generation: learned components, each a small feature map, are mixed with softmax weights computed from the mean of
    the features, enlarged bilinearly to the size of the features, and convolved (3x3). Interaction: features and
    prompt are concatenated and pass through a block of the backbone (PromptIR: a Restormer block; here a NAFNet block,
    so that all strategies use the same backbone); a 3x3 convolution restores the number of channels.

    Args:
        channels: channels of the features.
        stride: pixels of the image per pixel of the features.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        prompt = max(4, channels // 2)
        self.components = nn.Parameter(torch.rand(COMPONENTS, prompt, SIDE, SIDE))
        self.weigh = nn.Linear(channels, COMPONENTS)
        self.refine = Conv2d(prompt, prompt, 3, padding=1)
        self.interact = NAFBlock(channels + prompt, stride)
        self.reduce = Conv2d(channels + prompt, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features with the shape of ``x`` (N, channels, H, W)."""
        weights = self.weigh(x.mean(dim=(2, 3))).softmax(dim=1)
        prompt = torch.einsum("nk,kchw->nchw", weights, self.components.to(weights.dtype))
        prompt = F.interpolate(prompt, size=x.shape[-2:], mode="bilinear", align_corners=False)
        both = torch.cat([x, self.refine(prompt).to(x.dtype)], dim=1)
        out: Tensor = self.reduce(self.interact(both))
        return out


@dataclasses.dataclass(frozen=True)
class Prompted(Trained):
    """A NAFNet with a prompt block before every upsampling of its decoder, trained on all recipes together.

    Attributes:
        form: shape of the backbone.
    """

    form: NAFNetConfig

    @property
    def title(self) -> str:
        return f"all-in-one with prompts: {taught(self.course)}"

    @property
    def shape(self) -> Shape:
        return self.form

    def build(self, workspace: Workspace) -> Model:
        torch.manual_seed(self.course.seed)
        model = bare(self.form, workspace)
        assert isinstance(model, NAFNet)
        stride = model.multiple
        for level, up in enumerate(model.ups):
            model.ups[level] = nn.Sequential(PromptBlock(self.form.width * stride, stride), up)
            stride //= 2
        return Model(channels_last(model.to(workspace.device)), dict(model.named_parameters()))


class ManyHeads(nn.Module):
    """A NAFNet's body with heads and tails, each a 3x3 convolution and a block at full resolution (our choice).

    A batch consists of equal parts for the tasks, in their order; each part is restored with the task's own head and
    tail. With ``only``, the whole batch is restored with those of one task.

    Args:
        network: its body is shared; its first and last layer are not used.
        width: channels at full resolution.
        tasks: number of tasks.
    """

    def __init__(self, network: NAFNet, width: int, tasks: int) -> None:
        super().__init__()
        network.intro, network.ending = nn.Identity(), nn.Identity()  # type: ignore[assignment]
        self.network = network
        self.heads = nn.ModuleList(
            nn.Sequential(Conv2d(3, width, 3, padding=1), NAFBlock(width, 1)) for _ in range(tasks)
        )
        self.tails = nn.ModuleList(
            nn.Sequential(NAFBlock(width, 1), Conv2d(width, 3, 3, padding=1)) for _ in range(tasks)
        )
        self.only: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Restore (N, 3, H, W) in 0..1."""
        height, width = x.shape[-2:]
        tasks = range(len(self.heads)) if self.only is None else [self.only]
        parts = pad_to_multiple(x, self.network.multiple).chunk(len(tasks))
        y = torch.cat([self.heads[task](part) for task, part in zip(tasks, parts, strict=True)])
        parts = self.network.body(y).chunk(len(tasks))
        y = torch.cat([self.tails[task](part) for task, part in zip(tasks, parts, strict=True)])
        return x + y[..., :height, :width].to(x.dtype)


@dataclasses.dataclass(frozen=True)
class HeadsAndTails(Trained):
    """A body shared by all tasks, with heads and tails of their own, trained together from scratch.

    Attributes:
        form: shape of the body.
        tasks: names of the tasks; the course has equally many recipes for each, in this order.
    """

    form: NAFNetConfig
    tasks: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"shared body, {len(self.tasks)} heads and tails: {taught(self.course)}"

    @property
    def shape(self) -> Shape:
        return self.form

    def build(self, workspace: Workspace) -> Model:
        torch.manual_seed(self.course.seed)
        body = bare(self.form, workspace)
        assert isinstance(body, NAFNet)
        model = ManyHeads(body, self.form.width, len(self.tasks)).to(workspace.device)
        return Model(channels_last(model), dict(model.named_parameters()))

    def restorer(self, workspace: Workspace, task: str) -> nn.Module:
        model = super().restorer(workspace, task)
        assert isinstance(model, ManyHeads)
        model.only = self.tasks.index(task)
        return model
