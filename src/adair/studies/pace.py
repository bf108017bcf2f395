"""A NAFNet that takes as many seconds as another backbone: its width follows from measurements."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from adair.backbones.registry import NAFNetConfig
from adair.studies.budget import Shape
from adair.studies.networks import backbone_text, bare
from adair.studies.scores import restore
from adair.studies.workspace import Job, Result, Workspace

APART = 0.05  # how far apart two times may be to count as equal, as a part of the one that is given
ROUNDS = 7  # measurements of each of the last candidates; the median counts
NEIGHBOURS = 2  # widths on either side of what the search found that are measured again


@dataclass(frozen=True)
class EqualPace(Job):
    """The width with which a NAFNet takes as long as another backbone to restore a test image.

    Figures: "width". Costs: "given" and "chosen", the seconds a megapixel of the two, measured in turns. A workspace
    measures once: all networks of the study have the width that is recorded here, on whichever machine they train.

    Attributes:
        given: the backbone to equal.
        form: the NAFNet, whose width may become from half to twice as large.
        side: side of the image in pixels.
    """

    given: Shape
    form: NAFNetConfig
    side: int

    @property
    def title(self) -> str:
        return f"width of a NAFNet that is as fast as a {backbone_text(self.given)}"

    def work(self, workspace: Workspace) -> Result:
        ours, x = bare(self.given, workspace).eval(), torch.rand(1, 3, self.side, self.side)
        widths = list(range(max(1, self.form.width // 2), 2 * self.form.width + 1))
        low, high = 0, len(widths) - 1
        while low < high:
            middle = (low + high) // 2
            given, found = self._measured(workspace, ours, widths[middle], x, 1)
            low, high = (middle + 1, high) if found < given else (low, middle)
        near = widths[max(0, low - NEIGHBOURS) : low + NEIGHBOURS + 1]
        times = {width: self._measured(workspace, ours, width, x, ROUNDS) for width in near}
        best = min(near, key=lambda width: abs(apart(*times[width])))
        given, chosen = times[best]
        return Result({"width": best}, {"given": given, "chosen": chosen})

    def _measured(
        self, workspace: Workspace, ours: nn.Module, width: int, x: Tensor, rounds: int
    ) -> tuple[float, float]:
        """Return the seconds a megapixel of the given network and of a NAFNet of this width."""
        theirs = bare(replace(self.form, width=width), workspace).eval()
        networks = (ours, theirs)
        for network in networks:
            restore(workspace, network, x)  # allocates and chooses kernels
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for network, found in zip(networks, times, strict=True):
                begun = workspace.clock()
                restore(workspace, network, x)
                found.append((workspace.clock() - begun) / self.side**2 * 1e6)
        return statistics.median(times[0]), statistics.median(times[1])

    def context(self, workspace: Workspace) -> Any:
        return [str(workspace.precision), workspace.device.type]

    def workload(self) -> tuple[str, float]:
        return "pace", 1

    def trial(self, workspace: Workspace) -> float:
        return 10.0


def apart(given: float, chosen: float) -> float:
    """Return how much longer the chosen network takes, as a part of the time of the given one."""
    return chosen / given - 1 if given else 0.0
