"""Degrade one image of any usual kind; the same kind comes back."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from adair.degradations.recipe import Recipe, parse_recipe
from adair.degradations.resample import resize
from adair.errors import InputError
from adair.images import WHITE, ImageBuffer, open_image

Picture = TypeVar("Picture", Image.Image, npt.NDArray[Any], Tensor)

LARGEST_SEED = 2**63


def degrade(image: Picture, recipe: str | Recipe, seed: int = 0) -> Picture:
    """Make an image worse as a recipe says.

    Args:
        image: what `Restorer.restore` takes, too: a Pillow image; a uint8, uint16 or float (0..1) array (H, W) or
            (H, W, channels); or a tensor (N, C, H, W), float (0..1) or uint8. A second or fourth channel is alpha:
            kept, and resized with the image if the recipe changes its size.
        recipe: text such as ``"blur(sigma=1..2) > noise(sigma=25)"``, or a parsed recipe.
        seed: the same seed gives the same result on the same device.

    Returns:
        The same kind, type and mode (palette and CMYK images come back as RGB). Whole-number kinds are rounded and
        clipped; a float kind may leave 0..1 after noise with ``clip=false``.

    Raises:
        AdairError: a seed outside 0..2^63, a recipe that cannot be read, or another kind, shape or type of image.

    Example:
        >>> import numpy as np
        >>> degrade(np.zeros((8, 8, 3), np.uint8), "noise(sigma=25)", seed=1).shape
        (8, 8, 3)
    """
    parsed = recipe if isinstance(recipe, Recipe) else parse_recipe(recipe)
    if not 0 <= seed < LARGEST_SEED:
        raise InputError(f"seed {seed} is outside 0..2^63; give a smaller whole number")
    buffers, close = open_image(image)
    generator = torch.Generator().manual_seed(seed)
    device = image.device if isinstance(image, Tensor) else torch.device("cpu")
    # All images of a tensor have one shape and go through the recipe together.
    worse = parsed.run(torch.stack([_planes(buffer.pixels) for buffer in buffers]).to(device), generator).cpu()
    result: Picture = close([_back(x, buffer) for x, buffer in zip(worse, buffers, strict=True)])
    return result


def _planes(pixels: npt.NDArray[Any]) -> Tensor:
    """(H, W, C) to (C, H, W), float in 0..1."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1) / WHITE[pixels.dtype]


def _back(worse: Tensor, buffer: ImageBuffer) -> ImageBuffer:
    """The degraded image in the depth of ``buffer``, with its alpha in the new size."""
    alpha = buffer.alpha
    if alpha is not None and alpha.shape != worse.shape[1:]:
        alpha = _stored(resize(_planes(alpha[..., None])[None], (worse.shape[1], worse.shape[2]))[0], alpha)[..., 0]
    return ImageBuffer(_stored(worse, buffer.pixels), alpha)


def _stored(x: Tensor, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    white = WHITE[like.dtype]
    if white > 1:
        x = x.clamp(0.0, 1.0).mul(white).round()
    stored: npt.NDArray[Any] = x.permute(1, 2, 0).numpy().astype(like.dtype)
    return stored
