"""PSNR and SSIM as the restoration literature measures them."""

from __future__ import annotations

import torch
from torch import Tensor

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(a: Tensor, b: Tensor, crop: int = 0) -> Tensor:
    """Peak signal-to-noise ratio of each image of a batch, in dB.

    Args:
        a, b: (N, C, H, W), peak 1. Values outside 0..1 count as they are.
        crop: pixels left out at each border (super-resolution crops by the scale).

    Returns:
        (N,) float64; infinite where the images are equal.
    """
    a, b = _checked(a, b, crop)
    error = (a.double() - b.double()).square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error)


def ssim(a: Tensor, b: Tensor, crop: int = 0) -> Tensor:
    """Structural similarity of each image of a batch (Wang et al. 2004, IEEE TIP 13(4), section III-C).

    Gaussian 11x11 window of sigma 1.5, K1 = 0.01, K2 = 0.03, peak 1, windows that lie wholly inside the image, mean
    over windows and channels; of MATLAB's Y, give ``luma`` of both. scikit-image gives this number with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False`` where its windows fit; its default (uniform 7x7)
    is another one.

    Args:
        a, b: (N, C, H, W), peak 1, at least 11x11 within the crop.
        crop: pixels left out at each border before windows are placed.

    Returns:
        (N,) float64, 1 where the images are equal.
    """
    a, b = _checked(a, b, crop)
    if min(a.shape[-2:]) < _WINDOW:
        raise ValueError(f"SSIM needs at least {_WINDOW}x{_WINDOW} pixels, got {tuple(a.shape)}")
    x, y = a.double(), b.double()
    # Only the sum of both variances is needed, so four means do.
    mean_x, mean_y, square, product = _window(torch.cat([x, y, x * x + y * y, x * y], dim=1)).chunk(4, dim=1)
    covariance = product - mean_x * mean_y
    variances = square - mean_x * mean_x - mean_y * mean_y
    brightness = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    structure = (2 * covariance + _C2) / (variances + _C2)
    return (brightness * structure).mean(dim=(1, 2, 3))


def _window(x: Tensor) -> Tensor:
    """Mean under the Gaussian window at every place where it fits."""
    offset = torch.arange(_WINDOW, dtype=x.dtype) - _WINDOW // 2
    weights = torch.exp(-offset.square() / (2 * _SIGMA**2))
    # Sums of shifted images: on a CPU several times faster than a float64 convolution.
    for dim in (-2, -1):
        length = x.shape[dim] - _WINDOW + 1
        total = torch.zeros_like(x.narrow(dim, 0, length))
        for start, weight in enumerate((weights / weights.sum()).tolist()):
            total.add_(x.narrow(dim, start, length), alpha=weight)
        x = total
    return x


def _checked(a: Tensor, b: Tensor, crop: int) -> tuple[Tensor, Tensor]:
    if a.ndim != 4 or a.shape != b.shape:
        raise ValueError(f"two tensors (N, C, H, W) of one shape are needed, got {tuple(a.shape)} and {tuple(b.shape)}")
    if crop < 0 or 2 * crop >= min(a.shape[-2:]):
        raise ValueError(f"crop {crop} leaves nothing of {tuple(a.shape)}")
    inside = slice(crop, -crop or None)
    return a[..., inside, inside], b[..., inside, inside]
