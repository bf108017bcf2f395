"""The photo store: photos decoded once into one memory-mapped file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from adair.errors import AdairError
from adair.images import FORMATS, convert_depth, new_file, read_image, write_whole

SMALLEST_SIDE = 64  # a smaller photo has no patch worth training on

Pixels = npt.NDArray[np.uint8]


class Source(Protocol):
    """An image that a store can contain."""

    @property
    def name(self) -> str:
        """Its name in the store."""

    def read(self) -> tuple[Pixels, dict[str, Any]]:
        """Return pixels (height, width, channels) and facts to keep.

        Raises:
            AdairError: it cannot be used; the message gives the reason.
        """


@dataclass(frozen=True)
class PhotoFile:
    """A photo as a `Source`; see `open_store` for the sides."""

    name: str
    path: Path
    longest_side: int | None
    smallest_side: int

    def read(self) -> tuple[Pixels, dict[str, Any]]:
        """Decode it."""
        return read_photo(self.path, self.longest_side, self.smallest_side), {}


def find_photos(folder: Path, exclude: Sequence[str] = ()) -> list[Path]:
    """List the images under ``folder``, sorted, without those whose stem is in ``exclude``.

    Raises:
        AdairError: the folder is missing or contains no image.
    """
    if not folder.is_dir():
        raise AdairError(f"{folder}: not a folder; give the folder with your photos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and path.stem not in exclude)
    if not found:
        raise AdairError(f"{folder}: contains no photos; known formats: {', '.join(sorted(FORMATS))}")
    return found


def spread(count: int, of: int) -> list[int]:
    """Return ``count`` evenly spaced indices below ``of``: the photos that are held out."""
    return [(2 * i + 1) * of // (2 * count) for i in range(count)]


@dataclass(frozen=True)
class PhotoStore:
    """Decoded photos: a flat array of uint8 pixels (row by row), and each photo's place in it.

    Attributes:
        pixels: all photos one after the other.
        names: file name of each photo.
        shapes: (height, width) of each photo.
        offsets: where in ``pixels`` each photo starts.
        skipped: files that could not be used, each with the reason.
        channels: 3 (RGB), or 6 for pairs: those of the clean image, then of the degraded one.
        facts: what was found about each photo when it was read; may be empty.
    """

    pixels: Pixels
    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    skipped: tuple[str, ...] = ()
    channels: int = 3
    facts: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def photo(self, index: int) -> Pixels:
        """Return photo ``index`` as a view, (height, width, channels)."""
        height, width = self.shapes[index]
        start = self.offsets[index]
        return self.pixels[start : start + height * width * self.channels].reshape(height, width, self.channels)

    def subset(self, indices: Sequence[int]) -> PhotoStore:
        """Return a store of some of the photos that shares the pixels."""
        return PhotoStore(
            self.pixels,
            tuple(self.names[i] for i in indices),
            tuple(self.shapes[i] for i in indices),
            tuple(self.offsets[i] for i in indices),
            channels=self.channels,
        )

    def split(self, held_out: int) -> tuple[PhotoStore, PhotoStore]:
        """Hold ``held_out`` evenly spaced photos out for validation; return (training, validation).

        If there is only one photo, its lowest quarter is held out.

        Raises:
            AdairError: no photo would be left to train on.
        """
        if len(self) == held_out == 1:
            return self._cut(0.75)
        if held_out >= len(self):
            raise AdairError(f"{len(self)} photos are too few to hold out {held_out} for validation; add photos")
        chosen = spread(held_out, len(self))
        rest = [i for i in range(len(self)) if i not in set(chosen)]
        return self.subset(rest), self.subset(chosen)

    def _cut(self, share: float) -> tuple[PhotoStore, PhotoStore]:
        """Split the only photo below ``share`` of its rows; return the upper and the lower part."""
        height, width = self.shapes[0]
        rows = round(share * height)
        start = self.offsets[0] + rows * width * self.channels
        above = dataclasses.replace(self, shapes=((rows, width),))
        return above, dataclasses.replace(self, shapes=((height - rows, width),), offsets=(start,))

    def centres(self, size: int) -> Tensor:
        """Return the centre crop of every photo, (photos, channels, size, size), for validation."""
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
    longest_side: int | None = 2048,
    progress: Callable[[int, int], None] | None = None,
    smallest_side: int = SMALLEST_SIDE,
) -> PhotoStore:
    """Open the store of the photos under ``folder``; decode them unless that was done before.

    Args:
        folder: any folder of photos, searched recursively.
        cache: folder for the decoded file, which is named by a hash of the photos' names, sizes and times, so that a
            changed folder gets a new store.
        exclude: stems of photos to skip, such as test images.
        longest_side: larger photos are reduced to it, which also hides their noise and compression; None keeps all
            pixels.
        progress: called with (done, all) after each photo.
        smallest_side: photos with a shorter side are skipped.

    Raises:
        AdairError: the folder is missing or contains no usable photo, or the cache cannot be written.
    """
    paths = find_photos(folder, exclude)
    facts: list[Any] = [[(str(p.relative_to(folder)), *stamp(p)) for p in paths], longest_side]
    if smallest_side != SMALLEST_SIDE:
        facts.append(smallest_side)
    sources = [PhotoFile(str(p.relative_to(folder)), p, longest_side, smallest_side) for p in paths]
    return decode_once(sources, 3, facts, cache, str(folder), progress)


def stamp(path: Path) -> tuple[int, int]:
    """Return size and time of a file, which change when it does."""
    return path.stat().st_size, path.stat().st_mtime_ns


def decode_once(
    sources: Sequence[Source],
    channels: int,
    facts: Any,
    cache: Path,
    folder: str,
    progress: Callable[[int, int], None] | None = None,
) -> PhotoStore:
    """Open the store of some images in ``cache``; decode them into it unless that was done before.

    Args:
        sources: the images; those whose ``read`` raises `AdairError` are skipped.
        channels: channels of every image.
        facts: everything that the store depends on, for `json`; its hash names the store.
        cache: folder for the store.
        folder: the folder of the images, for messages.
        progress: called with (done, all) after each image.

    Raises:
        AdairError: no image can be used, or the cache cannot be written.
    """
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    pixels, index = cache / f"{key}.u8", cache / f"{key}.json"
    if not index.exists():
        try:
            _decode(sources, pixels, index, folder, progress)
        except OSError as error:
            raise AdairError(f"{cache}: the photo store cannot be written ({error}); choose another --cache") from error
    table = json.loads(index.read_text())
    return PhotoStore(
        np.memmap(pixels, dtype=np.uint8, mode="c"),  # never written; torch warns about read-only memory
        tuple(table["names"]),
        tuple((h, w) for h, w in table["shapes"]),
        tuple(table["offsets"]),
        tuple(table["skipped"]),
        channels,
        tuple(table.get("facts", ())),  # stores of version 0.1 have none
    )


def _decode(
    sources: Sequence[Source],
    pixels: Path,
    index: Path,
    folder: str,
    progress: Callable[[int, int], None] | None,
) -> None:
    table: dict[str, list[Any]] = {"names": [], "shapes": [], "offsets": [], "skipped": [], "facts": []}
    offset = 0
    with new_file(pixels) as part, part.open("wb") as out:
        for done, entry in enumerate(sources, 1):
            try:
                photo, facts = entry.read()
            except AdairError as error:
                table["skipped"].append(str(error))
            else:
                out.write(photo.tobytes())
                table["names"].append(entry.name)
                table["shapes"].append(photo.shape[:2])
                table["offsets"].append(offset)
                table["facts"].append(facts)
                offset += photo.size
            if progress:
                progress(done, len(sources))
        if not table["names"]:
            first = table["skipped"][0]
            raise AdairError(f"{folder}: none of its {len(sources)} photos can be used; the first: {first}")
    write_whole(index, json.dumps(table).encode())  # last: a store without an index is decoded again


def read_photo(path: Path, longest_side: int | None = None, smallest_side: int = SMALLEST_SIDE) -> Pixels:
    """Read an image as RGB, (height, width, 3), upright; 16 bits are rounded to 8, transparency is dropped.

    Raises:
        AdairError: the file is not an image, or has a side below ``smallest_side``.
    """
    pixels = convert_depth(read_image(path).pixels, np.uint8)
    upright = Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))
    if min(upright.size) < smallest_side:
        raise AdairError(
            f"{path}: {upright.width}x{upright.height} is too small; photos need {smallest_side} pixels per side"
        )
    if longest_side is not None and max(upright.size) > longest_side:
        upright.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return np.asarray(upright)
