"""Restore photos with a network that `adair export --to onnx` wrote. Needs numpy and onnxruntime, and nothing of AdaIR.

This file is complete: copy it next to the exported file. On the command line, where Pillow reads and writes the photos:

    python adair_onnx.py denoise.onnx photo.jpg better.png

or in a program, on arrays (H, W, 3) or (H, W) of uint8, uint16 or float in 0..1:

    from adair_onnx import Model
    better = Model("denoise.onnx").restore(photo)

Large photos are restored in overlapping tiles with the sizes, places and blending that AdaIR itself uses.
Licence: Apache-2.0.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would report to its maker
import onnxruntime

CELL = 32  # pixels: tiles begin at multiples, since the network takes local means on a grid of such cells
OVERLAP = 6 * CELL  # pixels that neighbouring tiles share ...
FADE = CELL  # ... and over which, in the middle of those, one gives way to the other
SMALLEST = 4 * CELL
EQUAL = 1.02  # times the least work
MOST_PIXELS = 600_000  # of a tile, unless the file says otherwise

Floats = npt.NDArray[np.float32]
Span = tuple[int, int]
WHITE = {"uint8": 255.0, "uint16": 65535.0}


class Model:
    """An exported network.

    Args:
        path: the file, or its bytes.
        threads: cores to use; 0 for all.

    Attributes:
        card: what the file says of itself: task, scale, adapters with their measured figures, licence.
        scale: how many times larger results are.
        size: height and width of the only input that the network takes; None if it takes any.
    """

    def __init__(self, path: str | os.PathLike[str] | bytes, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        source = path if isinstance(path, bytes) else os.fspath(path)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.card: dict[str, Any] = json.loads(self._session.get_modelmeta().custom_metadata_map.get("adair", "{}"))
        self.scale = int(self.card.get("scale", 1))
        height, width = self._session.get_inputs()[0].shape[2:]
        self.size = (height, width) if isinstance(height, int) else None

    def __call__(self, tiles: Floats) -> Floats:
        """Run the network alone on (1, 3, h, w) in 0..1; the result is not clamped."""
        restored: Floats = self._session.run(None, {"input": tiles})[0]
        return restored

    def restore(
        self, image: npt.NDArray[Any], tile: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> npt.NDArray[Any]:
        """Restore (H, W, 3) or (H, W); the result has the type that came in.

        Args:
            image: uint8, uint16, or floats in 0..1.
            tile: side of the tiles in pixels of the result; None chooses by memory. Networks of one size ignore it.
            progress: called with tiles done and tiles in all.

        Raises:
            ValueError: another shape or type.
            ArithmeticError: the network returned NaN or infinity.
        """
        if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] != 3):
            raise ValueError(f"an array of shape {image.shape} is no image; give (H, W) or (H, W, 3)")
        white = WHITE.get(image.dtype.name, 1.0)
        if white == 1.0 and image.dtype.kind != "f":
            raise ValueError(f"an array of {image.dtype} has no known white; give uint8, uint16 or float in 0..1")
        colour = np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image
        height, width = (side * self.scale for side in colour.shape[:2])
        result = np.empty((height, width, *image.shape[2:]), image.dtype)
        top = 0
        for lines in self._strips(colour, white, tile, progress):
            if not math.isfinite(float(lines.sum())):
                raise ArithmeticError("the network returned NaN or infinity")
            values = lines.clip(0, 1) * np.float32(white)
            values = values.mean(0) if image.ndim == 2 else values.transpose(1, 2, 0)
            result[top : top + len(values)] = values if white == 1.0 else np.rint(values)
            top += len(values)
        return result

    def _strips(
        self, image: npt.NDArray[Any], white: float, tile: int | None, progress: Callable[[int, int], None] | None
    ) -> Iterator[Floats]:
        """Yield finished lines (3, lines, W * scale) from top to bottom."""
        scale = self.scale
        rows, columns = self._places(image.shape[0], image.shape[1], tile)
        carried: Floats = np.zeros((3, 0, image.shape[1] * scale), np.float32)
        for number, (top, bottom) in enumerate(rows):
            strip = np.zeros((3, (bottom - top) * scale, image.shape[1] * scale), np.float32)
            for done, (left, right) in enumerate(columns):
                part = np.asarray(image[top:bottom, left:right], np.float32) / np.float32(white)
                restored = self._run(part.transpose(2, 0, 1)[None])
                strip[:, :, left * scale : right * scale] += restored * weights(columns, done, scale)
                if progress:
                    progress(number * len(columns) + done + 1, len(rows) * len(columns))
            strip *= weights(rows, number, scale)[:, None]
            strip[:, : carried.shape[1]] += carried
            finished = ((rows[number + 1][0] if number + 1 < len(rows) else bottom) - top) * scale
            carried = strip[:, finished:].copy()
            yield strip[:, :finished]

    def _places(self, height: int, width: int, tile: int | None) -> tuple[list[Span], list[Span]]:
        """Rows and columns of tiles, in pixels of the input."""
        cell = CELL // math.gcd(CELL, self.scale)
        if self.size:
            down, across = self.size
        else:
            most = int(self.card.get("tile_pixels", MOST_PIXELS))
            sides = (tile, tile) if tile else choose_tile(height * self.scale, width * self.scale, most)
            down, across = (-(-max(side, SMALLEST) // self.scale) for side in sides)
        exact = self.size is not None
        return split(height, down, self.scale, cell, exact), split(width, across, self.scale, cell, exact)

    def _run(self, tiles: Floats) -> Floats:
        """Restore one tile; a network of one size sees mirrored pixels where the photo ends."""
        height, width = tiles.shape[2:]
        if self.size and (height, width) != self.size:
            beyond = [(0, 0), (0, 0), (0, self.size[0] - height), (0, self.size[1] - width)]
            tiles = np.pad(tiles, beyond, mode="symmetric")
        restored: Floats = self(np.ascontiguousarray(tiles))[0]
        return restored[:, : height * self.scale, : width * self.scale]


def choose_tile(height: int, width: int, most: int) -> tuple[int, int]:
    """Height and width of the tiles of at most ``most`` pixels that restore an image with the least work.

    Of tiles that are as good but for `EQUAL`, the lowest: a row of them is in memory across the whole image.
    """
    found = {(SMALLEST, SMALLEST): math.inf}
    for columns in range(1, math.ceil(width / CELL) + 1):
        across = width if columns == 1 else _even(width, columns, OVERLAP, CELL)
        down = height if height * across <= most else most // across // CELL * CELL
        if (columns > 1 and across < SMALLEST) or down < min(SMALLEST, height):
            continue
        sides = (split(height, down), split(width, across))
        work = math.prod(sum(stop - start for start, stop in spans) for spans in sides)
        found[down, across] = work
    least = min(found.values())
    equal = [sides for sides, work in found.items() if work <= EQUAL * least]
    return min(equal, key=lambda sides: (sides[0], found[sides]))


def split(length: int, tile: int, scale: int = 1, cell: int = CELL, exact: bool = False) -> list[Span]:
    """Cover ``length`` pixels with overlapping spans of at most ``tile`` that begin at multiples of ``cell``.

    With ``exact`` all but those cut off by the end are ``tile`` long, else they are as equal as can be.
    """
    if length <= tile:
        return [(0, length)]
    tile = tile // cell * cell
    overlap = min(-(-OVERLAP // scale // cell) * cell, tile // 2 // cell * cell)
    count = math.ceil((length - overlap) / (tile - overlap))
    if exact:
        last = math.ceil((length - tile) / cell)
        starts = [number * last // (count - 1) * cell for number in range(count)]
        return [(start, min(start + tile, length)) for start in starts]
    size = _even(length, count, overlap, cell)
    step = size - overlap
    count = math.ceil((length - overlap) / step)
    return [(number * step, min(number * step + size, length)) for number in range(count)]


def _even(length: int, count: int, overlap: int, cell: int) -> int:
    return max(math.ceil((length - overlap) / count / cell) * cell, overlap) + overlap


def weights(spans: list[Span], number: int, scale: int) -> Floats:
    """Weight of every pixel of one span: 1, falling as a squared cosine to 0 in the middle of what two share.

    The weights of all spans add up to 1 at every pixel.
    """
    start, stop = (side * scale for side in spans[number])
    place = np.arange(start, stop) + 0.5
    weight = np.ones(stop - start)
    for one, other in ((number - 1, number), (number, number + 1)):
        if one >= 0 and other < len(spans):
            middle = (spans[one][1] + spans[other][0]) * scale / 2
            rise = np.sin(((place - middle) / FADE + 0.5).clip(0, 1) * (math.pi / 2)) ** 2
            weight *= rise if other == number else 1 - rise
    return weight.astype(np.float32)


def main() -> int:
    """Restore one photo from the command line; status 2: a line on stderr says what is wrong."""
    parser = argparse.ArgumentParser(description="Restore a photo with an exported network.")
    parser.add_argument("model", help="a file that 'adair export --to onnx' wrote")
    parser.add_argument("source", help="the photo")
    parser.add_argument("target", help="where the result goes; its extension decides the format")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing target")
    parser.add_argument("--tile", type=int, help="side of the tiles in pixels; default: by memory")
    parser.add_argument("--threads", type=int, default=0, help="cores to use; default: all")
    words = parser.parse_args()
    if os.path.exists(words.target) and not words.overwrite:
        parser.exit(2, f"{words.target}: exists; choose another name, or replace it with --overwrite\n")
    try:
        _restore_file(words.model, words.source, words.target, words.tile, words.threads)
    except FileNotFoundError as error:
        parser.exit(2, f"{error.filename}: not found\n")
    except (OSError, ValueError, ArithmeticError) as error:
        parser.exit(2, f"{error}\n")
    return 0


def _restore_file(model: str, source: str, target: str, tile: int | None, threads: int) -> None:
    """Restore one file; transparency, colour profile and EXIF are kept where Pillow can read and write them."""
    from PIL import Image, ImageOps

    kind = Image.registered_extensions().get(os.path.splitext(target)[1].lower())
    if kind not in Image.SAVE:
        raise ValueError(f"{target}: not a format that Pillow writes; use .png, .jpg, .tif or .webp")
    if not os.path.exists(model):
        raise FileNotFoundError(2, "not found", model)
    try:
        network = Model(model, threads)
    except Exception as error:  # the library has no exception class of its own for this
        raise ValueError(f"{model}: is not a file that 'adair export --to onnx' wrote") from error
    with Image.open(source) as file:
        # Pillow clips deep pixels to 8 bits, those of colour PNG without a word.
        deep_colour = file.mode.startswith("RGB") and ";16" in str(file.tile)
        deep = file.mode.startswith("I;16")  # gray, in either order of bytes
        if deep_colour or (file.mode.startswith(("I", "F")) and not deep):
            raise ValueError(f"{source}: 16-bit colour or 32-bit pixels, which Pillow cuts to 8; save it with 8 bits")
        profile = file.info.get("icc_profile") if file.mode not in ("CMYK", "LAB", "YCbCr", "HSV") else None
        photo = ImageOps.exif_transpose(file)
    if photo.mode in ("P", "PA") or "transparency" in photo.info:
        photo = photo.convert("RGBA" if photo.mode == "PA" or "transparency" in photo.info else "RGB")
    alpha = photo.getchannel("A") if "A" in photo.getbands() else None
    if not deep and photo.mode != "L":
        photo = photo.convert("L" if photo.mode == "LA" else "RGB")
    pixels = np.asarray(photo, np.uint16 if deep else np.uint8)
    result = Image.fromarray(network.restore(pixels, tile))
    if alpha is not None and kind in ("JPEG", "BMP"):
        print(f"{target}: {kind} holds no transparency, so it is lost", file=sys.stderr)
    elif alpha is not None:
        result.putalpha(alpha.resize(result.size, Image.Resampling.BICUBIC))
    kept = {"icc_profile": profile, "exif": photo.info.get("exif")}
    part = f"{target}.part"  # so that the result appears whole or not at all
    try:
        result.save(part, kind, quality=95, **{name: value for name, value in kept.items() if value})
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.remove(part)


if __name__ == "__main__":
    sys.exit(main())
