"""Image quality metrics, and the conversions that their protocols need."""

from adair.metrics.colour import luma, quantise
from adair.metrics.quality import psnr, ssim

__all__ = ["luma", "psnr", "quantise", "ssim"]
