"""JPEG compression: libjpeg itself for images in memory, its arithmetic in batch for images on a GPU."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from adair.degradations.beside import beside
from adair.degradations.jpeg_batch import jpeg_batch
from adair.metrics import quantise

Pixels = npt.NDArray[np.uint8]

_SUBSAMPLING = {444: 0, 420: 2}


def jpeg(x: Tensor, generator: torch.Generator, *, quality: Tensor, chroma: Tensor) -> Tensor:
    """JPEG at libjpeg's ``quality`` with 4:2:0 or 4:4:4 ``chroma`` (ITU-T T.81; Independent JPEG Group scaling).

    On the CPU every sample goes through libjpeg in memory; elsewhere its arithmetic runs on the batch (`jpeg_batch`).
    Three channels are RGB; with any other number each channel is a gray image of its own.
    """
    n, c, h, w = x.shape
    planes = x if c in (1, 3) else x.reshape(n * c, 1, h, w)
    repeat = len(planes) // n
    quality, chroma = quality.repeat_interleave(repeat), chroma.repeat_interleave(repeat)
    levels = quantise(planes).mul_(255.0).round_()
    coded = _on_cpu(levels, quality, chroma) if x.device.type == "cpu" else _on_device(levels, quality, chroma)
    return coded.div_(255.0).view(n, c, h, w)


def _on_cpu(levels: Tensor, quality: Tensor, chroma: Tensor) -> Tensor:
    pixels = levels.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    settings = zip(pixels, quality.int().tolist(), chroma.int().tolist(), strict=True)
    decoded = torch.from_numpy(np.stack([through_libjpeg(*one) for one in settings]))
    return decoded.permute(0, 3, 1, 2).to(levels.dtype, memory_format=torch.contiguous_format)


def _on_device(levels: Tensor, quality: Tensor, chroma: Tensor) -> Tensor:
    kinds = chroma.unique().tolist()
    if len(kinds) == 1:
        return jpeg_batch(levels, beside(quality, levels), halve=kinds[0] == 420)
    result = torch.empty_like(levels)
    for kind in kinds:
        index = (chroma == kind).nonzero().squeeze(1)
        there = beside(index, levels)
        coded = jpeg_batch(levels.index_select(0, there), beside(quality[index], levels), halve=kind == 420)
        result.index_copy_(0, there, coded)
    return result


def through_libjpeg(pixels: Pixels, quality: int, chroma: int) -> Pixels:
    """Encode and decode one uint8 image (H, W, 1 or 3)."""
    file = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    image.save(file, "JPEG", quality=quality, subsampling=_SUBSAMPLING[chroma])
    return np.asarray(Image.open(file)).reshape(pixels.shape)
