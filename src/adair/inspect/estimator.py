"""The network that estimates damage from patches, and its file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adair.errors import AdairError
from adair.tasks import DAMAGES
from adair.weights import bundled_estimator, check_tensors, fingerprint, read_header, read_tensors, write_safetensors

PATCH = 96  # side of the patches it was trained on
BANDS = (24, 12)  # into so many frequencies, vertical and horizontal, the spectrum is gathered
_FLOOR = 0.02  # added to the power, in 8-bit levels squared: a quarter of what rounding to 8 bits leaves


class Estimator(nn.Module):
    """Estimates damage from the patches of an image: for every kind, whether it is present and how bad it is.

    Two views of every patch: convolutions over its colours and, amplified, over what differs from the neighbours' mean,
    since faint noise and the rounding to 8 bits tell blur from softness; and the power spectrum of its brightness,
    where blur is a slope and enlargement a cliff. Both are averaged over the patches of an image; two layers decide.

    Args:
        width: channels of the convolutions at half the size; a quarter has twice, an eighth three times as many.
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
        features = 6 * width + 2 * BANDS[0] * BANDS[1]
        self.scale = nn.BatchNorm1d(features)
        self.hidden = nn.Linear(features, 8 * width)
        self.verdict = nn.Linear(8 * width, 2 * len(DAMAGES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Judge images, each a set of patches (N, patches, 3, H, W), sides multiples of 8 and 48 at least.

        Returns:
            (N, 5) each, in the order of `DAMAGES`: log-odds that the damage is present, and its severity if it is
            (see `Damage`).
        """
        return self.decide(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Return the features (N, features) of images (N, patches, 3, H, W)."""
        patches = x.flatten(0, 1)
        shapes = self._convolved(patches).unflatten(0, x.shape[:2]).float().mean(1)
        with torch.autocast(x.device.type, enabled=False):
            power = _spectrum(patches.float()).unflatten(0, x.shape[:2])
            # Textured patches rule the mean, flat ones the mean of the logarithms.
            return torch.cat([shapes, power.mean(1).log(), power.log().mean(1)], 1)

    def decide(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-odds and severities, (N, 5) each, from features."""
        with torch.autocast(features.device.type, enabled=False):
            odds, severity = self.verdict(F.relu(self.hidden(self.scale(features)))).chunk(2, 1)
        return odds, severity

    def _convolved(self, x: Tensor) -> Tensor:
        """Mean and standard deviation of every feature over the patch."""
        detail = x - F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = F.pixel_unshuffle(torch.cat([x - 0.5, torch.asinh(detail * 128)], 1), 2)
        x = x.contiguous(memory_format=torch.channels_last)
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            y = F.relu(norm(layer(x)))
            x = x + y if i % 2 else y
        return torch.cat([x.mean((2, 3)), x.var((2, 3), correction=0).add(1e-4).sqrt()], 1)


def _spectrum(x: Tensor) -> Tensor:
    """Power of the brightness of patches (N, 3, H, W) in `BANDS`, (N, bands), in 8-bit levels squared."""
    height, width = x.shape[-2:]
    gray = 255 * x.mean(1)
    down, across = (torch.hann_window(side, periodic=False, device=x.device) for side in (height, width))
    window = down.view(-1, 1) * across
    spectrum = torch.fft.rfft2((gray - gray.mean((1, 2), keepdim=True)) * window, norm="ortho")
    # Vertical frequencies from the lowest negative to the highest positive; the last horizontal one has no pair.
    power = spectrum.abs().square().roll(height // 2, 1)[:, :, : width // 2]
    return F.adaptive_avg_pool2d(power.unsqueeze(1), BANDS).flatten(1) + _FLOOR


def save_estimator(path: str | os.PathLike[str], estimator: Estimator, card: Mapping[str, Any] | None = None) -> None:
    """Write an estimator as float16, atomically; ``card`` has training facts and figures.

    Raises:
        AdairError: weights that are not finite, a folder that cannot be written.
    """
    tensors = {name: value.to(torch.float16) for name, value in _stored(estimator).items()}
    metadata = {"kind": "estimator", "width": estimator.width, "kinds": [damage.name for damage in DAMAGES]}
    write_safetensors(path, tensors, {**metadata, "checksum": fingerprint(tensors), "card": dict(card or {})})


def load_estimator(path: str | os.PathLike[str] | None = None) -> Estimator:
    """Load an estimator file, in evaluation mode; None loads the bundled one.

    Raises:
        AdairError: a file that cannot be read, is not an estimator, or is one for other kinds of damage.
    """
    header = read_header(bundled_estimator() if path is None else path)
    if header.kind != "estimator":
        raise AdairError(f"{header.path}: is not an estimator, but {header.kind or 'a plain safetensors file'}")
    width, kinds = header.metadata.get("width"), header.metadata.get("kinds")
    if type(width) is not int or not 1 <= width <= 256 or kinds != [damage.name for damage in DAMAGES]:
        raise AdairError(f"{header.path}: is made for another version of AdaIR; use the estimator that came with yours")
    estimator = Estimator(width)
    check_tensors(header, {name: tuple(value.shape) for name, value in _stored(estimator).items()})
    estimator.load_state_dict(read_tensors(header), strict=False)
    return estimator.eval().requires_grad_(False)


def _stored(estimator: Estimator) -> dict[str, Tensor]:
    """Return the state without the batch counters, which matter only for training."""
    return {name: value for name, value in estimator.state_dict().items() if value.is_floating_point()}
