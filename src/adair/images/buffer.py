"""The kinds of image that a user may pass in, and the conversion of results back to the same kind.

`open_image` turns every kind into an `ImageBuffer` (stored pixels and alpha as NumPy arrays) and returns the inverse.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adair.errors import InputError
from adair.images.image_file import ImageFile

if TYPE_CHECKING:
    from torch import Tensor

DARKEST, BRIGHTEST = -2.0, 3.0  # unclipped noise stays within; beyond it, white is not 1
WHITE = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}


@dataclasses.dataclass(frozen=True, eq=False)
class ImageBuffer:
    """One image: ``pixels`` (H, W, 1 or 3) and ``alpha`` (H, W) or None; both uint8, uint16 or float32 in 0..1.

    What becomes of it and is too large for memory goes to the folder ``scratch`` (see `adair.images.scratch`).
    """

    pixels: npt.NDArray[Any]
    alpha: npt.NDArray[Any] | None = None
    scratch: Path | None = None


Close = Callable[[list[ImageBuffer]], Any]


def open_image(image: Any) -> tuple[list[ImageBuffer], Close]:
    """Return the images in ``image`` and the function that turns restored ones into the kind that ``image`` is.

    Kinds: `ImageFile`; PIL.Image; array (H, W) or (H, W, C), uint8, uint16 or float; tensor (N, C, H, W), float or
    uint8. C is 1 or 3, plus one for alpha. Floats are in 0..1. A PIL image in a mode that cannot hold the result comes
    back as RGB or RGBA (palette, CMYK) or L (1 bit).

    Raises:
        InputError: another kind, shape or type; no pixels; numbers that are not finite.
    """
    if isinstance(image, ImageFile):
        return [ImageBuffer(image.pixels, image.alpha, image.scratch)], lambda out: dataclasses.replace(
            image, pixels=out[0].pixels, alpha=out[0].alpha
        )
    if isinstance(image, Image.Image):
        return _open_pil(image)
    if isinstance(image, np.ndarray):
        return [_planes(image)], lambda out: _joined(out[0], image.ndim).astype(image.dtype, copy=False)
    if "torch" in sys.modules and isinstance(image, sys.modules["torch"].Tensor):  # whoever has one has imported it
        return _open_tensor(image)
    raise InputError(f"a {type(image).__name__} is not an image; give a PIL image, an array or an NCHW tensor")


def _planes(array: npt.NDArray[Any]) -> ImageBuffer:
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise InputError(
            f"an array of shape {array.shape} is not an image; give (H, W) or (H, W, C) with C from 1 to 4"
        )
    if array.dtype.kind == "f":
        array = array.astype(np.float32, copy=False)
        low, high = float(array.min()), float(array.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InputError("the image contains NaN or infinity; replace these values")
        if low < DARKEST or high > BRIGHTEST:
            raise InputError(
                f"the image has values from {low:.4g} to {high:.4g}, but floats must be in 0..1; "
                "divide by the value of white (255 for 8 bits)"
            )
    elif array.dtype not in (np.uint8, np.uint16):
        raise InputError(f"an array of {array.dtype} has no known white; give uint8, uint16 or float in 0..1")
    stacked = np.atleast_3d(array)
    if stacked.shape[2] in (2, 4):
        return ImageBuffer(stacked[..., :-1], stacked[..., -1])
    return ImageBuffer(stacked)


def _joined(planes: ImageBuffer, ndim: int) -> npt.NDArray[Any]:
    if planes.alpha is not None:
        return np.dstack([planes.pixels, planes.alpha])
    return planes.pixels[..., 0] if ndim == 2 else planes.pixels


def _open_pil(image: Image.Image) -> tuple[list[ImageBuffer], Close]:
    mode = image.mode
    if mode in ("P", "PA", "RGBa"):
        mode = "RGBA" if mode != "P" or "transparency" in image.info else "RGB"
    elif mode in ("1", "La"):
        mode = "L" if mode == "1" else "LA"
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        mode = "RGB"
    elif mode in ("I", "F"):
        raise InputError(f"a PIL image of mode {mode} has no known white; give L, RGB, RGBA or I;16")
    sixteen = mode.startswith("I;16")
    array = np.asarray(image if sixteen or mode == image.mode else image.convert(mode))
    info = {key: value for key, value in image.info.items() if key != "transparency"}
    if mode == "RGB" and image.mode not in ("RGB", "P"):
        info.pop("icc_profile", None)  # it described the inks, not the RGB values made from them

    def close(out: list[ImageBuffer]) -> Image.Image:
        restored = Image.fromarray(np.ascontiguousarray(_joined(out[0], array.ndim)))
        restored.info = info
        return restored

    return [_planes(array.astype(np.uint16) if sixteen else array)], close


def _open_tensor(image: Tensor) -> tuple[list[ImageBuffer], Close]:
    import torch

    if image.ndim != 4 or image.numel() == 0 or not (image.is_floating_point() or image.dtype == torch.uint8):
        shape = tuple(image.shape)
        raise InputError(
            f"a tensor of shape {shape} and {image.dtype} is not an image; give (N, C, H, W), float in 0..1 or uint8"
        )
    levels = image.detach() if image.dtype == torch.uint8 else image.detach().float()
    arrays = levels.cpu().permute(0, 2, 3, 1).numpy()

    def close(out: list[ImageBuffer]) -> Tensor:
        stack = torch.stack([torch.from_numpy(_joined(planes, 3)) for planes in out])
        return stack.permute(0, 3, 1, 2).contiguous().to(image.device, image.dtype)

    return [_planes(array) for array in arrays], close
