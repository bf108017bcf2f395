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
from adair.errors import AdairError

Picture = TypeVar("Picture", Image.Image, npt.NDArray[Any], Tensor)

_MODES = ("L", "LA", "RGB", "RGBA", "I;16")  # what is taken as it is; all else becomes L, RGB or RGBA


def degrade(image: Picture, recipe: str | Recipe, seed: int = 0) -> Picture:
    """Make an image worse as a recipe says.

    Args:
        image: a Pillow image; a uint8, uint16 or float (0..1) array (H, W) or (H, W, channels); or a float tensor
            (0..1) or uint8 tensor (N, C, H, W). A second or fourth channel of an image or array is alpha: kept, and
            resized with the image if the recipe changes its size.
        recipe: text such as ``"blur(sigma=1..2) > noise(sigma=25)"``, or a parsed recipe.
        seed: the same seed gives the same result on the same device.

    Returns:
        The same kind, type and mode (palette and CMYK images come back as RGB). Whole-number kinds are rounded and
        clipped; a float kind may leave 0..1 after noise with ``clip=false``.

    Raises:
        AdairError: a recipe that cannot be read, or another kind, shape or type of image.
    """
    parsed = recipe if isinstance(recipe, Recipe) else parse_recipe(recipe)
    generator = torch.Generator().manual_seed(seed)
    if isinstance(image, Image.Image):
        return _degrade_pillow(image, parsed, generator)
    if isinstance(image, np.ndarray):
        return _degrade_array(image, parsed, generator)
    if isinstance(image, Tensor):
        return _degrade_tensor(image, parsed, generator)
    raise AdairError(f"cannot degrade a {type(image).__name__}; give a PIL image, an array or an NCHW tensor")


def _degrade_pillow(image: Image.Image, recipe: Recipe, generator: torch.Generator) -> Image.Image:
    if image.mode in ("I", "F"):
        raise AdairError(f"a PIL image of mode {image.mode} has no known white; give L, RGB, RGBA or I;16")
    info = {key: value for key, value in image.info.items() if key != "transparency"}
    if image.mode not in _MODES:
        if image.mode == "CMYK":
            info.pop("icc_profile", None)  # it described the inks, not the RGB that comes of them
        image = image.convert("L" if image.mode == "1" else "RGBA" if image.has_transparency_data else "RGB")
    result = Image.fromarray(_degrade_array(np.asarray(image), recipe, generator))
    result.info = info
    return result


def _degrade_array(pixels: npt.NDArray[Any], recipe: Recipe, generator: torch.Generator) -> npt.NDArray[Any]:
    top = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(pixels.dtype, 1)
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise AdairError(f"an array of shape {pixels.shape} is no image; give (H, W) or (H, W, channels)")
    if top == 1 and pixels.dtype.kind != "f":
        raise AdairError(f"an array of {pixels.dtype} has no known white; give uint8, uint16 or float in 0..1")
    planes = torch.from_numpy(np.atleast_3d(pixels).astype(np.float32)).permute(2, 0, 1).unsqueeze(0) / top
    colours = planes.shape[1] - 1 if planes.shape[1] in (2, 4) else planes.shape[1]
    worse, alpha = recipe.run(planes[:, :colours], generator), planes[:, colours:]
    if worse.shape[2:] != alpha.shape[2:]:
        alpha = resize(alpha, (worse.shape[2], worse.shape[3]))
    result = torch.cat([worse, alpha], dim=1)
    if top > 1:
        result = result.clamp(0.0, 1.0).mul(top).round()
    array = result[0].permute(1, 2, 0).numpy().astype(pixels.dtype)
    return array[:, :, 0] if pixels.ndim == 2 else array


def _degrade_tensor(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    if x.ndim != 4 or not (x.is_floating_point() or x.dtype == torch.uint8):
        raise AdairError(f"a tensor {tuple(x.shape)} of {x.dtype} is no image; give (N, C, H, W), float or uint8")
    if x.is_floating_point():
        return recipe.run(x, generator)
    return recipe.run(x.float() / 255, generator).clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)
