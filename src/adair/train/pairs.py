"""Pairs: degraded and clean images, matched by name, aligned, and decoded once into a store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adair.degradations import resize
from adair.errors import AdairError
from adair.train.align import Alignment, Gray, align, shifted, similarity
from adair.train.photos import (
    SMALLEST_SIDE,
    PhotoStore,
    Pixels,
    decode_once,
    find_photos,
    read_photo,
    stamp,
)

SCALES = (2, 3, 4)  # by which a clean image may be larger: super-resolution
FARTHEST = 32  # pixels; a larger shift is more than a misalignment
NOTICED = 0.1  # pixels; a smaller shift is not corrected
SURE = 2.5  # times the disagreement of the quarters, which a shift must exceed to be corrected


@dataclass(frozen=True)
class Pair:
    """A degraded image and its clean version; a `Source` of a photo store."""

    name: str
    degraded: Path
    clean: Path

    def read(self) -> tuple[Pixels, dict[str, Any]]:
        """See `read_pair`."""
        return read_pair(self.degraded, self.clean)


def match_pairs(degraded: Path, clean: Path, exclude: Sequence[str] = ()) -> tuple[list[Pair], list[str]]:
    """Match the images of two folders by name without suffix, or use two files as one pair.

    Images in subfolders match if the subfolders match, too; if none do, only their file names are compared.

    Args:
        degraded, clean: two folders, searched recursively, or two files.
        exclude: names to skip.

    Returns:
        The pairs, and one line for each image without a partner.

    Raises:
        AdairError: missing folders, no pairs at all, or two images with the same name in a folder.
    """
    for path in (degraded, clean):
        if not path.exists():
            raise AdairError(f"{path}: does not exist; --pairs takes two folders or two files: degraded, then clean")
    if degraded.is_file() and clean.is_file():
        return [Pair(degraded.stem, degraded, clean)], []
    if degraded.resolve() == clean.resolve():
        raise AdairError(f"{degraded}: given both as degraded and as clean; give two folders")
    found = [(folder, find_photos(folder, exclude)) for folder in (degraded, clean)]
    first, second = (
        _by_name({path: path.relative_to(folder).with_suffix("").as_posix() for path in paths})
        for folder, paths in found
    )
    if not first.keys() & second.keys():
        first, second = (_by_name({path: path.stem for path in paths}) for _, paths in found)
    names = sorted(first.keys() & second.keys())
    if not names:
        raise AdairError(
            f"{degraded} and {clean}: no two images have the same name ({found[0][1][0].name} and "
            f"{found[1][1][0].name}, for example); both images of a pair need the same name"
        )
    alone = [f"{path}: no image of this name in {clean}" for name, path in first.items() if name not in second]
    alone += [f"{path}: no image of this name in {degraded}" for name, path in second.items() if name not in first]
    return [Pair(name, first[name], second[name]) for name in names], alone


def open_pairs(pairs: Sequence[Pair], cache: Path, progress: Callable[[int, int], None] | None = None) -> PhotoStore:
    """Open the store of some pairs, decoding them if that was not done before.

    A photo of the store has six channels, those of the clean image and then of the degraded one, both in the size of
    the clean one. Its facts are "scale", "shift" (down, right) in pixels, and "note", a line for the user or nothing.

    Args:
        pairs: as returned by `match_pairs`.
        cache: folder for the store.
        progress: called with (done, all) after each pair.

    Raises:
        AdairError: no pair can be used.
    """
    facts = [
        ("pairs", pair.name, str(pair.degraded), *stamp(pair.degraded), str(pair.clean), *stamp(pair.clean))
        for pair in pairs
    ]
    folders = f"{pairs[0].degraded.parent} and {pairs[0].clean.parent}"
    return decode_once(pairs, 6, facts, cache, folders, progress)


def common_scale(store: PhotoStore) -> int:
    """Return the scale of all pairs: 1, or how many times larger the clean images are.

    Raises:
        AdairError: pairs with different scales.
    """
    scales: dict[int, str] = {fact["scale"]: name for name, fact in zip(store.names, store.facts, strict=True)}
    if len(scales) > 1:
        (one, name), (other, second) = sorted(scales.items())[:2]
        raise AdairError(f"pair {name} has scale {one} and {second} scale {other}; train one adapter for each")
    return next(iter(scales))


def read_pair(degraded: Path, clean: Path) -> tuple[Pixels, dict[str, Any]]:
    """Read a pair and align the clean image with the degraded one.

    Returns:
        Pixels (height, width, 6), and the facts that `open_pairs` describes.

    Raises:
        AdairError: unreadable files, sizes that do not fit, or images that show different scenes or differ by more
            than a shift.
    """
    worse, better = read_photo(degraded, smallest_side=SMALLEST_SIDE // max(SCALES)), read_photo(clean)
    scale = _scale(degraded, clean, worse.shape[:2], better.shape[:2])
    worse = _enlarged(worse, scale)[: better.shape[0], : better.shape[1]]
    if np.array_equal(worse, better):
        raise AdairError(f"{degraded}: identical to {clean}; there is nothing to learn from it")
    found = align(_gray(better), _gray(worse))
    _check(degraded, clean, found)
    size = math.hypot(found.down, found.right)
    facts: dict[str, Any] = {"scale": scale, "shift": [round(found.down, 2), round(found.right, 2)], "note": ""}
    if size < NOTICED:
        return np.concatenate([better, worse], axis=2), facts
    moved = f"{degraded.name}: shifted by {found.down:+.2f} pixels down and {found.right:+.2f} right from {clean.name}"
    moved_clean = shifted(better, found.down, found.right)
    gray = _gray(worse)
    if size < SURE * found.spread or similarity(_gray(moved_clean), gray) <= similarity(_gray(better), gray):
        facts["note"] = f"{moved}, not clearly; not corrected" if size >= 0.5 else ""
        return np.concatenate([better, worse], axis=2), facts
    facts["note"] = f"{moved}; corrected"
    pair = np.concatenate([moved_clean, worse], axis=2)
    down, right = (math.ceil(abs(part)) for part in (found.down, found.right))  # what was mirrored in at the borders
    pair = pair[down : pair.shape[0] - down, right : pair.shape[1] - right]
    if min(pair.shape[:2]) < SMALLEST_SIDE:
        raise AdairError(f"{moved}, which leaves less than {SMALLEST_SIDE} pixels of both; align them first")
    return pair, facts


def _by_name(names: Mapping[Path, str]) -> dict[str, Path]:
    table: dict[str, Path] = {}
    for path, name in names.items():
        if (other := table.setdefault(name, path)) is not path:
            raise AdairError(f"{path}: has the same name as {other}; keep one of them, or rename one")
    return table


def _scale(degraded: Path, clean: Path, small: tuple[int, ...], large: tuple[int, ...]) -> int:
    """Return how many times larger the clean image is; a small side may have been rounded up."""
    for scale in (1, *SCALES):
        if all(-(-a // scale) == b for a, b in zip(large, small, strict=True)):
            return scale
    sizes = f"is {small[1]}x{small[0]}, {clean} is {large[1]}x{large[0]}"
    if small[0] > large[0] and small[1] > large[1]:
        raise AdairError(f"{degraded}: {sizes}; the degraded image is the larger one: give degraded first, then clean")
    raise AdairError(f"{degraded}: {sizes}; sizes must be equal, or the clean image 2, 3 or 4 times larger")


def _enlarged(image: Pixels, scale: int) -> Pixels:
    """Enlarge an image as restoring does before it runs the network."""
    if scale == 1:
        return image
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    x = resize(x, (x.shape[2] * scale, x.shape[3] * scale), scale).clamp_(0, 1)
    levels: Pixels = x[0].mul_(255).round_().to(torch.uint8).permute(1, 2, 0).numpy()
    return levels


def _gray(image: Pixels) -> Gray:
    gray: Gray = image.mean(axis=2, dtype=np.float64)
    return gray


def _check(degraded: Path, clean: Path, found: Alignment) -> None:
    if not found.related:
        raise AdairError(f"{degraded}: does not show the same scene as {clean}; a pair is the same image twice")
    if found.warped:
        raise AdairError(f"{degraded}: rotated, scaled or warped against {clean}, not only shifted; align them first")
    if max(abs(found.down), abs(found.right)) > FARTHEST:
        raise AdairError(
            f"{degraded}: shifted by {found.down:+.0f} pixels down and {found.right:+.0f} right from {clean}, over "
            f"{FARTHEST}; align them first"
        )
