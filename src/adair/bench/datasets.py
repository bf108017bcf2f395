"""The files of a test set on disk: its clean images, and their degraded partners if the set has them.

    DATA/CBSD68/*                      clean images
    DATA/Rain100L/input/*, target/*    pairs with the same stem
    DATA/Set5_matlab_bicubic/x2/*      MATLAB's low-resolution files of DATA/Set5/*, of the same stem

`adair.data` puts them there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adair.data.dataset import EXTENSIONS
from adair.images import WHITE
from adair.metrics import luma, quantise
from adair.restore import read_image

INPUT, TARGET = "input", "target"


@dataclass(frozen=True)
class Sample:
    """One image of a test set: the clean file and, if the set has it, the degraded one."""

    clean: Path
    given: Path | None = None


@dataclass(frozen=True)
class Found:
    """The samples of a test set, sorted by name, and a line for each file without a partner."""

    samples: list[Sample]
    problems: list[str] = field(default_factory=list)


def clean_images(data: Path, dataset: str) -> Found:
    """Return every image of a test set (of its ``target`` folder if it has pairs)."""
    folder = data / dataset
    files = _files(folder / TARGET if (folder / TARGET).is_dir() else folder)
    return Found([Sample(path) for path in files], [] if files else [f"{folder}: holds no images"])


def pairs(data: Path, dataset: str, given: str = INPUT, clean: str = TARGET) -> Found:
    """Return the pairs of the folders ``given`` and ``clean``, matched by stem."""
    folder = data / dataset
    return _match(_files(folder / clean), {path.stem: path for path in _files(folder / given)}, folder / given)


def small_images(data: Path, dataset: str, scale: int) -> Found | None:
    """Return clean images with MATLAB's low-resolution ones, or None if ``data`` has no folder of them."""
    folder = data / f"{dataset}_matlab_bicubic" / f"x{scale}"
    if not folder.is_dir():
        return None
    return _match(_files(data / dataset), {path.stem: path for path in _files(folder)}, folder)


def load(path: Path, gray: bool = False) -> Tensor:
    """Read an image as (1, 3, H, W) in 0..1; with ``gray`` as (1, 1, H, W), of a colour image MATLAB's Y in 8 bits.

    Raises:
        AdairError: a file that is not an image.
    """
    pixels = read_image(path).pixels
    image = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1).unsqueeze(0) / WHITE[pixels.dtype]
    if gray:
        return image if image.shape[1] == 1 else quantise(luma(image))
    return image.expand(-1, 3, -1, -1)


def _match(clean: list[Path], partners: dict[str, Path], folder: Path) -> Found:
    """Pair files by stem; files without a partner are reported."""
    samples = [Sample(path, partners[path.stem]) for path in clean if path.stem in partners]
    problems = [f"{path}: has no partner in {folder}" for path in clean if path.stem not in partners]
    stems = {path.stem for path in clean}
    problems += [f"{path}: has no clean partner" for stem, path in partners.items() if stem not in stems]
    return Found(samples, problems if samples or problems else [f"{folder}: holds no images"])


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS and path.name[0] != ".")
