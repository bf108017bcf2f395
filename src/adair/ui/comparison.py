"""Up to four tasks applied to the same part of a photo, with metrics if there is a reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from adair.errors import InputError
from adair.images import WHITE
from adair.metrics import psnr, ssim
from adair.restore import Restorer
from adair.ui.photo import Photo, options_for, preview, shown

MOST = 4
WINDOW = 11  # side of SSIM's window: smaller photos get no metrics


@dataclass(frozen=True, eq=False)
class Variant:
    """The result of one task.

    Attributes:
        task: as the user wrote it.
        pixels: the part, (h, w, 3) uint8.
        psnr, ssim: against the reference, over R, G and B of this part; None without one.
    """

    task: str
    pixels: npt.NDArray[np.uint8]
    psnr: float | None = None
    ssim: float | None = None

    def __str__(self) -> str:
        figures = "" if self.psnr is None else f": {self.psnr:.2f} dB, SSIM {self.ssim:.4f}"
        return f"{self.task}{figures}"


def compare_tasks(
    photo: Photo, tasks: list[str], place: tuple[float, float], restorer: Restorer, reference: Photo | None = None
) -> list[Variant]:
    """Restore one part of a photo with several tasks, at its own size; the photo itself comes first.

    Args:
        tasks: up to four; empty ones are left out.
        place: centre of the part, horizontally and vertically, 0 to 1.
        reference: what the photo should look like, of the same size.

    Raises:
        InputError: no task or more than four, a reference of another size, a task that `Restorer.restore` refuses.
    """
    tasks = [task.strip() for task in tasks if task and task.strip()]
    if not 1 <= len(tasks) <= MOST:
        raise InputError(f"{len(tasks)} tasks; write 1 to {MOST} to compare")
    if reference is not None and reference.size != photo.size:
        (w, h), (width, height) = reference.size, photo.size
        raise InputError(f"the reference is {w}x{h}, the photo {width}x{height}; give two of the same size")
    found = [Variant("photo", shown(photo.part(*place).image.pixels))]
    for task in tasks:
        _, after = preview(photo, options_for(task, "1", 1.0, restorer), *place, restorer)
        found.append(Variant(task, after))
    if reference is None or min(photo.size) < WINDOW:
        return found
    target = _tensor(reference.part(*place).image.pixels)
    return [replace(one, **_figures(_tensor(one.pixels), target)) for one in found]


def _figures(image: torch.Tensor, target: torch.Tensor) -> dict[str, Any]:
    return {"psnr": float(psnr(image, target)), "ssim": float(ssim(image, target))}


def _tensor(pixels: npt.NDArray[Any]) -> torch.Tensor:
    return (
        torch.from_numpy(pixels.astype(np.float64) / WHITE[pixels.dtype]).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)
    )
