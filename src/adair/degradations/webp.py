"""Lossy WebP compression."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from adair.metrics import quantise


def webp(x: Tensor, generator: torch.Generator, *, quality: Tensor) -> Tensor:
    """Lossy WebP at libwebp's ``quality`` (RFC 9649: VP8 key frames with 4:2:0 chroma), encoded and decoded in memory.

    Every sample goes through libwebp on the CPU, wherever ``x`` is: on a GPU this is the one operator that waits for
    the device. Three channels are RGB; with any other number each channel is a gray image of its own.
    """
    n, c, h, w = x.shape
    images = x if c == 3 else x.reshape(n * c, 1, h, w).expand(-1, 3, -1, -1)
    settings = quality.int().repeat_interleave(len(images) // n).tolist()
    pixels = quantise(images).mul(255.0).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    decoded = np.stack([_through_libwebp(one, number) for one, number in zip(pixels, settings, strict=True)])
    coded = torch.from_numpy(decoded).permute(0, 3, 1, 2).to(x.device, x.dtype).div_(255.0)
    return coded.contiguous() if c == 3 else coded.mean(dim=1).mul_(255.0).round_().div_(255.0).view(n, c, h, w)


def _through_libwebp(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], quality: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Encode and decode one uint8 image (H, W, 3)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=2)
    return np.asarray(Image.open(file).convert("RGB"))
