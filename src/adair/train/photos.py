"""The photo store: clean photos decoded once into one memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from adair.errors import AdairError

EXTENSIONS = {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
SMALLEST_SIDE = 64  # a photo with a shorter side holds no patch worth training on


def find_photos(folder: Path, exclude: Sequence[str] = ()) -> list[Path]:
    """List the images under ``folder``, sorted, without those whose stem is in ``exclude``.

    Raises:
        AdairError: if the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise AdairError(f"{folder}: not a folder; give the folder that holds your photos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.stem not in exclude)
    if not found:
        raise AdairError(f"{folder}: holds no photos; known formats: {', '.join(sorted(EXTENSIONS))}")
    return found


@dataclass(frozen=True)
class PhotoStore:
    """Decoded photos: a flat array of uint8 pixels (RGB, row by row) and each photo's place in it.

    Attributes:
        pixels: all photos one after the other.
        names: file name of each photo.
        shapes: (height, width) of each photo.
        offsets: where in ``pixels`` each photo starts.
        skipped: files that could not be used, each with the reason.
    """

    pixels: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> npt.NDArray[np.uint8]:
        """Return photo ``index`` as a view, (height, width, 3)."""
        height, width = self.shapes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    def subset(self, indices: Sequence[int]) -> PhotoStore:
        """Return a store of some of the photos over the same pixels."""
        return PhotoStore(
            self.pixels,
            tuple(self.names[i] for i in indices),
            tuple(self.shapes[i] for i in indices),
            tuple(self.offsets[i] for i in indices),
        )

    def split(self, held_out: int) -> tuple[PhotoStore, PhotoStore]:
        """Hold ``held_out`` evenly spaced photos out for validation; return (training, validation).

        Raises:
            AdairError: if no photo would be left to train on.
        """
        if held_out >= len(self):
            raise AdairError(f"{len(self)} photos are too few to hold {held_out} out for validation; add photos")
        chosen = {(2 * i + 1) * len(self) // (2 * held_out) for i in range(held_out)}
        rest = [i for i in range(len(self)) if i not in chosen]
        return self.subset(rest), self.subset(sorted(chosen))

    def centres(self, size: int) -> Tensor:
        """Return the centre crop of every photo, (photos, 3, size, size), for validation."""
        crops = []
        for index in range(len(self)):
            photo = self.photo(index)
            top, left = (max(0, (side - size) // 2) for side in photo.shape[:2])
            crop = photo[top : top + size, left : left + size]
            borders = ((0, size - crop.shape[0]), (0, size - crop.shape[1]), (0, 0))
            crops.append(np.pad(crop, borders, mode="symmetric"))
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(torch.float32).div_(255)


def open_store(
    folder: Path,
    cache: Path,
    exclude: Sequence[str] = (),
    longest_side: int = 2048,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoStore:
    """Open the store of the photos under ``folder``; decode them if that was not done before.

    Args:
        folder: any folder of photos, searched recursively.
        cache: folder for the decoded file; its name there is a hash of the photos' names, sizes and times, so a
            changed folder gets a new store.
        exclude: stems of photos to leave out (test images, say).
        longest_side: larger photos are shrunk to it, which also hides their noise and compression.
        progress: called with (done, all) after each photo.

    Raises:
        AdairError: if the folder is missing or holds no usable photo, or the cache cannot be written.
    """
    paths = find_photos(folder, exclude)
    facts = [(str(p.relative_to(folder)), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    key = hashlib.sha256(json.dumps([facts, longest_side]).encode()).hexdigest()[:16]
    pixels, index = cache / f"{key}.u8", cache / f"{key}.json"
    if not index.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            _decode(paths, folder, pixels, index, longest_side, progress)
        except OSError as error:
            raise AdairError(f"{cache}: the photo store cannot be written ({error}); choose another --cache") from error
    table = json.loads(index.read_text())
    return PhotoStore(
        np.memmap(pixels, dtype=np.uint8, mode="c"),  # never written; torch warns of memory that cannot be
        tuple(table["names"]),
        tuple((h, w) for h, w in table["shapes"]),
        tuple(table["offsets"]),
        tuple(table["skipped"]),
    )


def _decode(
    paths: Sequence[Path],
    folder: Path,
    pixels: Path,
    index: Path,
    longest_side: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    table: dict[str, list[object]] = {"names": [], "shapes": [], "offsets": [], "skipped": []}
    aside = pixels.with_suffix(f".{os.getpid()}.part")
    offset = 0
    try:
        with aside.open("wb") as out:
            for done, path in enumerate(paths, 1):
                name = str(path.relative_to(folder))
                try:
                    photo = _read(path, longest_side)
                except AdairError as error:
                    table["skipped"].append(str(error))
                else:
                    out.write(photo.tobytes())
                    table["names"].append(name)
                    table["shapes"].append(photo.shape[:2])
                    table["offsets"].append(offset)
                    offset += photo.size
                if progress:
                    progress(done, len(paths))
        if not table["names"]:
            raise AdairError(f"{folder}: none of its {len(paths)} photos can be used; the first: {table['skipped'][0]}")
        os.replace(aside, pixels)
        part = index.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(table))
        os.replace(part, index)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path, longest_side: int) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise AdairError(f"{path}: cannot be read as an image ({error}); remove or replace it") from error
    if min(upright.size) < SMALLEST_SIDE:
        raise AdairError(
            f"{path}: {upright.width}x{upright.height} is too small; photos need {SMALLEST_SIDE} pixels a side"
        )
    if max(upright.size) > longest_side:
        upright.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return np.asarray(upright)
