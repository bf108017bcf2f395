"""The network that judges a patch, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.errors import AdairError
from adair.inspect.kinds import KINDS
from adair.weights import bundled_estimator, check_tensors, read_header, read_tensors, write_safetensors

PATCH = 96  # side of the patches it was trained on


class Estimator(nn.Module):
    """Judges patches: for every kind of damage, whether it is there and how bad it is.

    It sees the colours and, amplified, what differs from the neighbours' mean, since faint noise and the rounding of
    8 bits tell blur from softness. Convolutions at a half, a quarter and an eighth of the size follow; mean and
    standard deviation over the patch go through two layers.

    Args:
        width: channels at half the size; a quarter has twice, an eighth three times as many.
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.width = width
        sizes = (width, width, 2 * width, 2 * width, 3 * width, 3 * width)
        channels = (24, *sizes)  # 6 planes, every 2x2 pixels side by side
        self.layers = nn.ModuleList(
            nn.Conv2d(channels[i], size, 3, stride=2 if i in (2, 4) else 1, padding=1) for i, size in enumerate(sizes)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in sizes)
        self.hidden = nn.Linear(6 * width, 3 * width)
        self.verdict = nn.Linear(3 * width, 2 * len(KINDS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Judge patches (N, 3, H, W), sides multiples of 8.

        Returns:
            (N, 5) each, kinds in the order of `KINDS`: log-odds that the damage is there, and its severity (see `Kind`)
            if it is.
        """
        detail = x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = F.pixel_unshuffle(torch.cat([x - 0.5, torch.asinh(detail * 128)], 1), 2)
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            y = F.relu(norm(layer(x)))
            x = x + y if i % 2 else y
        x = torch.cat([x.mean((2, 3)), x.var((2, 3), correction=0).add(1e-4).sqrt()], 1)
        odds, severity = self.verdict(F.relu(self.hidden(x))).chunk(2, 1)
        return odds, severity


def save_estimator(path: str | os.PathLike[str], estimator: Estimator, card: Mapping[str, Any] | None = None) -> None:
    """Write an estimator as float16, whole or not at all; ``card`` holds training facts and figures.

    Raises:
        AdairError: weights that are not finite, a folder that cannot be written.
    """
    tensors = {name: value.to(torch.float16) for name, value in _stored(estimator).items()}
    metadata = {"kind": "estimator", "width": estimator.width, "kinds": [kind.name for kind in KINDS]}
    write_safetensors(path, tensors, {**metadata, "card": dict(card or {})})


def load_estimator(path: str | os.PathLike[str] | None = None) -> Estimator:
    """Load an estimator file, in evaluation mode; None loads the bundled one.

    Raises:
        AdairError: a file that cannot be read, is no estimator, or is one for other kinds of damage.
    """
    header = read_header(bundled_estimator() if path is None else path)
    if header.kind != "estimator":
        raise AdairError(f"{header.path}: is no estimator but {header.kind or 'a plain safetensors file'}")
    width, kinds = header.metadata.get("width"), header.metadata.get("kinds")
    if type(width) is not int or not 1 <= width <= 256 or kinds != [kind.name for kind in KINDS]:
        raise AdairError(f"{header.path}: is made for another version of AdaIR; use the estimator that came with yours")
    estimator = Estimator(width)
    check_tensors(header, {name: tuple(value.shape) for name, value in _stored(estimator).items()})
    estimator.load_state_dict(read_tensors(header), strict=False)
    return estimator.eval().requires_grad_(False)


def _stored(estimator: Estimator) -> dict[str, Tensor]:
    """All of the state but the batch counters, which matter to training alone."""
    return {name: value for name, value in estimator.state_dict().items() if value.is_floating_point()}
