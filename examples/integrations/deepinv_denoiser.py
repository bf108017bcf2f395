"""AdaIR's denoiser for deepinv, whose plug-and-play methods then solve other inverse problems with it."""

from __future__ import annotations

import torch
from deepinv.models.base import Denoiser

from adair import Restorer


class AdairDenoiser(Denoiser):
    """Blind: the network sees how strong the noise is, so ``sigma`` only decides how much of the correction to apply.

    Args:
        task: a task that keeps the size.
        full: the sigma from which on the whole correction is applied; below, a part of it.
        restorer: another than the bundled one.
    """

    def __init__(self, task: str = "denoise", full: float = 0.02, restorer: Restorer | None = None) -> None:
        super().__init__()
        self.task, self.full = task, full
        self.restorer = restorer or Restorer.load()

    @torch.no_grad()
    def forward(self, x: torch.Tensor, sigma: float | torch.Tensor = 1.0, **kwargs: object) -> torch.Tensor:
        """Denoise (B, C, H, W) with C 1 or 3, in 0..1 up to noise; no gradient flows through it."""
        levels = torch.as_tensor(sigma, dtype=torch.float32).flatten().expand(len(x))
        parts = [
            self.restorer.restore(one[None], self.task, strength=min(float(level) / self.full, 1.0))
            for one, level in zip(x, levels, strict=True)
        ]
        return torch.cat(parts).to(x)
