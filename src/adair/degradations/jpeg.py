"""JPEG compression: libjpeg itself for images in memory, its arithmetic in batch for images on a GPU."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adair.metrics import quantise

_SUBSAMPLING = {444: 0, 422: 1, 420: 2}


def jpeg(x: Tensor, generator: torch.Generator, *, quality: Tensor, chroma: Tensor) -> Tensor:
    """JPEG at libjpeg's ``quality`` with 4:2:0 or 4:4:4 ``chroma`` (ITU-T T.81; Independent JPEG Group scaling).

    On the CPU every sample goes through libjpeg in memory. Three channels are RGB; with any other number each channel
    is an image of its own, in gray.
    """
    n, c, h, w = x.shape
    planes = x if c in (1, 3) else x.reshape(n * c, 1, h, w)
    repeat = len(planes) // n
    pixels = quantise(planes).mul(255.0).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    settings = zip(quality.tolist(), chroma.tolist(), strict=True)
    settings = ((int(q), int(s)) for q, s in settings for _ in range(repeat))
    decoded = np.stack([through_libjpeg(one, q, s) for one, (q, s) in zip(pixels, settings, strict=True)])
    result = torch.from_numpy(decoded).to(x.device).view(len(planes), h, w, -1)
    return result.permute(0, 3, 1, 2).to(x.dtype).div(255.0).reshape(n, c, h, w)


def through_libjpeg(pixels: np.ndarray, quality: int, chroma: int) -> np.ndarray:
    """Encode and decode one uint8 image (H, W, 1 or 3)."""
    file = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    image.save(file, "JPEG", quality=quality, subsampling=_SUBSAMPLING[chroma])
    return np.asarray(Image.open(file)).reshape(pixels.shape)
