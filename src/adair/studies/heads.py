"""The paper's strategy (b): a body that all tasks share, with a head and a tail for each."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from adair.backbones.convolution import Conv2d
from adair.backbones.nafnet import NAFBlock, NAFNet
from adair.backbones.registry import NAFNetConfig
from adair.studies.budget import Shape
from adair.studies.networks import Model, Trained, bare, taught
from adair.studies.workspace import Workspace
from adair.train.trainer import channels_last


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
        parts = self.network.border(x).chunk(len(tasks))
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
