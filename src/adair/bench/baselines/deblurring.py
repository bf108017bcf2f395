"""Baselines for Gaussian blur. All of them use its sigma, so they know the true kernel and the reflected border."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter
from torch import Tensor

from adair.bench.baselines.arrays import Floats, eight_bits, floats, stated, tensor
from adair.bench.case import Case
from adair.degradations.blur import gaussian_taps

# Chosen once for the best PSNR over sigma 1.2, 2 and 3, on crops of photographs that no suite contains.
_BALANCE = 3e-5  # weight of the Laplacian prior; the noise is that of rounding to 8 bits
_ITERATIONS = 100  # 0.03 to 0.4 dB more than 50, scikit-image's default; as fast in single precision
_RADIUS, _PERCENT = 0.8, 300  # of sigma; how much of the difference is added


def wiener(case: Case) -> Tensor:
    """Wiener deconvolution with a Laplacian prior (Hunt 1973).

    A symmetric kernel on an image with reflected border is a circular convolution of the image continued by its own
    reflection to a period of 2 N - 2 pixels; so continued, the border leaves no trace.
    """
    from skimage.restoration import wiener as deconvolve

    height, width = case.size
    wide = np.pad(floats(case.given), ((0, max(0, height - 2)), (0, max(0, width - 2)), (0, 0)), "reflect")
    kernel = _kernel(case)
    restored = [deconvolve(channel, kernel, _BALANCE, clip=False) for channel in np.moveaxis(wide, -1, 0)]
    return tensor(np.stack(restored, axis=-1)[:height, :width])


def richardson_lucy(case: Case) -> Tensor:
    """Richardson-Lucy deconvolution (Richardson 1972, Lucy 1974), the border continued by reflection."""
    from skimage.restoration import richardson_lucy as deconvolve

    kernel = _kernel(case)
    reach = len(kernel) - 1
    wide = np.pad(floats(case.given), ((reach, reach), (reach, reach), (0, 0)), "reflect")
    restored = deconvolve(wide.astype(np.float32), kernel[..., np.newaxis].astype(np.float32), _ITERATIONS)
    return tensor(restored[reach:-reach, reach:-reach])


def unsharp_mask(case: Case) -> Tensor:
    """Unsharp masking in 8 bits, as Pillow and most image editors have it."""
    sharpen = ImageFilter.UnsharpMask(_RADIUS * stated(case, "blur_sigma"), _PERCENT, threshold=0)
    return tensor(np.asarray(Image.fromarray(eight_bits(case.given)).filter(sharpen)))


def _kernel(case: Case) -> Floats:
    taps = gaussian_taps(stated(case, "blur_sigma")).double().numpy()
    return np.outer(taps, taps)
