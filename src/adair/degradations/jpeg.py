"""JPEG compression: libjpeg itself for images in memory, its arithmetic in batch for images on a GPU."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from adair.degradations.jpeg_batch import jpeg_batch
from adair.degradations.resample import resize
from adair.degradations.transfer import on_device_of
from adair.metrics import quantise

Pixels = npt.NDArray[np.uint8]

_SUBSAMPLING = {444: 0, 420: 2}


def jpeg(
    x: Tensor,
    generator: torch.Generator,
    *,
    quality: Tensor,
    chroma: Tensor,
    right: Tensor | None = None,
    down: Tensor | None = None,
    size: Tensor | None = None,
) -> Tensor:
    """JPEG at libjpeg's ``quality`` with 4:2:0 or 4:4:4 ``chroma`` (ITU-T T.81; Independent JPEG Group scaling).

    On the CPU every sample goes through libjpeg in memory; elsewhere its arithmetic runs on the batch (`jpeg_batch`).
    Three channels are RGB; with any other number each channel is a gray image of its own.

    ``right`` and ``down`` (0..7 pixels) move the grid of 8x8 blocks, as in a file that was cropped and saved again.
    ``size`` is the size of the file relative to the image: the image is scaled to it (bicubic), compressed, and scaled
    back, so that 2 is a photo that was shared at a smaller size afterwards, and 0.5 one that was enlarged.
    """
    n, c, h, w = x.shape
    planes = x if c in (1, 3) else x.reshape(n * c, 1, h, w)
    still = torch.zeros_like(quality)
    settings = (
        quality,
        chroma,
        *(still if v is None else v for v in (right, down)),
        still + 1 if size is None else size,
    )
    quality, chroma, right, down, size = (values.repeat_interleave(len(planes) // n) for values in settings)
    if bool((size == 1).all()):
        return _compress(planes, quality, chroma, right, down).view(n, c, h, w)
    of_each = zip(planes.split(1), size.tolist(), *(v.split(1) for v in (quality, chroma, right, down)), strict=True)
    return torch.cat([_compress_at(*one) for one in of_each]).view(n, c, h, w)


def _compress_at(x: Tensor, size: float, quality: Tensor, chroma: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """One sample, compressed at ``size`` times its height and width."""
    if size == 1:
        return _compress(x, quality, chroma, right, down)
    home = (x.shape[2], x.shape[3])
    file = resize(x, (max(1, round(home[0] * size)), max(1, round(home[1] * size))))
    return quantise(resize(_compress(file, quality, chroma, right, down), home))


def _compress(planes: Tensor, quality: Tensor, chroma: Tensor, right: Tensor, down: Tensor) -> Tensor:
    levels = quantise(planes).mul_(255.0).round_()
    code = _on_cpu if planes.device.type == "cpu" else _on_device
    if not bool((right + down).any()):
        return code(levels, quality, chroma).div_(255.0)
    for side, shift in ((2, down), (3, right)):  # room for the widest shift, then every sample's own
        levels = _shifted(levels, side, levels.shape[side] + 7, -shift)
    coded = code(levels, quality, chroma).div_(255.0)
    for side, shift in ((2, down), (3, right)):
        coded = _shifted(coded, side, planes.shape[side], shift)
    return coded


def _shifted(x: Tensor, side: int, length: int, shift: Tensor) -> Tensor:
    """Samples that begin ``shift`` (N,) pixels further along ``side``, the border pixels repeated outwards."""
    index = on_device_of((torch.arange(length) + shift.long().unsqueeze(1)).clamp(0, x.shape[side] - 1), x)
    index = index.view(len(x), 1, -1, 1) if side == 2 else index.view(len(x), 1, 1, -1)
    shape = list(x.shape)
    shape[side] = length
    return x.gather(side, index.expand(shape))


def _on_cpu(levels: Tensor, quality: Tensor, chroma: Tensor) -> Tensor:
    pixels = levels.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    settings = zip(pixels, quality.int().tolist(), chroma.int().tolist(), strict=True)
    decoded = torch.from_numpy(np.stack([through_libjpeg(*one) for one in settings]))
    return decoded.permute(0, 3, 1, 2).to(levels.dtype, memory_format=torch.contiguous_format)


def _on_device(levels: Tensor, quality: Tensor, chroma: Tensor) -> Tensor:
    kinds = chroma.unique().tolist()
    if len(kinds) == 1:
        return jpeg_batch(levels, on_device_of(quality, levels), halve=kinds[0] == 420)
    result = torch.empty_like(levels)
    for kind in kinds:
        index = (chroma == kind).nonzero().squeeze(1)
        there = on_device_of(index, levels)
        coded = jpeg_batch(levels.index_select(0, there), on_device_of(quality[index], levels), halve=kind == 420)
        result.index_copy_(0, there, coded)
    return result


def through_libjpeg(pixels: Pixels, quality: int, chroma: int) -> Pixels:
    """Encode and decode one uint8 image (H, W, 1 or 3)."""
    file = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    image.save(file, "JPEG", quality=quality, subsampling=_SUBSAMPLING[chroma])
    return np.asarray(Image.open(file)).reshape(pixels.shape)
