"""Animations: WebP and GIF are read by libvips, PNG and AVIF by Pillow; WebP, PNG and AVIF are written.

What is read are whole frames as they are shown, whatever the file stores of them.
"""

from __future__ import annotations

import dataclasses
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from adair.errors import AdairError
from adair.images import avif
from adair.images.diagnosis import png_chunks
from adair.images.exif import ORIENTATION, SIDEWAYS, upright, without_thumbnail
from adair.images.image_file import ImageFile, Pages, Pixels, fitting_icc, is_gray
from adair.images.limits import Limits
from adair.images.metadata import embed, fit, read_extras, upright_xmp
from adair.images.writing import LONGEST_SIDE, encode

READ = ("WebP", "GIF", "PNG", "AVIF")
WRITTEN = ("WebP", "PNG", "AVIF")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # what EXIF's number for the orientation asks for


def read_frames(data: bytes, kind: str, limits: Limits) -> Pages | None:
    """Decode all frames of a file of the format ``kind``; None if it has one. Raises whatever the decoder does.

    Raises:
        AdairError: frames that are too large together.
    """
    if kind in ("WebP", "GIF"):
        return _with_vips(data, kind, limits)
    moving = avif.is_sequence(data) if kind == "AVIF" else any(name == b"acTL" for _, name, _ in png_chunks(data))
    return _with_pillow(data, kind, limits) if moving else None


def encode_frames(path: Path, kind: str, pages: Pages, quality: int) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of an animation of the format ``kind``, and what it could not hold.

    Raises:
        AdairError: frames that are too large for the format.
    """
    first, notes = fit(kind, pages.images[0])
    longest = LONGEST_SIDE.get(kind)
    if longest and max(first.pixels.shape[:2]) > longest:
        raise AdairError(f"{path}: {kind} allows at most {longest} pixels per side; use .png")
    delays = [round(delay) for delay in pages.delays or ()]
    if kind == "WebP":
        pixels = np.concatenate([image.pixels for image in pages.images])
        alphas = [image.alpha for image in pages.images if image.alpha is not None]
        alpha: Any = np.concatenate(alphas) if alphas else None
        facts = {"page-height": first.pixels.shape[0], "loop": pages.loop}
        return encode("WebP", pixels, alpha, first, quality, facts, delays), tuple(notes)
    frames = [_frame(image) for image in pages.images]
    buffer = io.BytesIO()
    options: dict[str, Any] = {"icc_profile": fitting_icc(first.icc, first.pixels.shape[-1])}
    height, width = first.pixels.shape[:2]
    if kind == "PNG":
        options |= {"duration": list(pages.delays or [0] * len(frames)), "loop": pages.loop}
        options |= {"dpi": tuple(value * 25.4 for value in first.density)} if first.density else {}
        frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], **options)
        embed(buffer, kind, first, width, height)
        return buffer.getvalue(), tuple(notes)
    options |= {"duration": delays or 0, "quality": quality, "xmp": upright_xmp(first.xmp) if first.xmp else None}
    options |= {"exif": upright(first.exif, width, height)} if first.exif else {}
    options["subsampling"] = "4:0:0" if frames[0].mode == "L" else "4:4:4"
    frames[0].save(buffer, "AVIF", save_all=True, append_images=frames[1:], **options)
    notes += ["colours of an AVIF animation may be off by 3 of 255, even at quality 100"] if quality == 100 else []
    return avif.with_plays(buffer.getvalue(), pages.loop), tuple(notes)


def _frame(image: ImageFile) -> Image.Image:
    pixels = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _with_vips(data: bytes, kind: str, limits: Limits) -> Pages | None:
    from adair.images import vips

    facts = vips.page_facts(data, kind)
    if facts.count < 2:
        return None
    reel = vips.decode(data, kind, limits, page=0, count=facts.count)
    parts = (_part(reel, start, start + facts.height) for start in range(0, facts.height * facts.count, facts.height))
    turn = TURNS.get(facts.orientation)
    return Pages(tuple(part if turn is None else _turned(part, turn) for part in parts), facts.delays, facts.loop)


def _part(reel: ImageFile, top: int, bottom: int) -> ImageFile:
    alpha = None if reel.alpha is None else reel.alpha[top:bottom]
    return dataclasses.replace(reel, pixels=reel.pixels[top:bottom], alpha=alpha)


def _turned(image: ImageFile, turn: Image.Transpose) -> ImageFile:
    array = np.atleast_3d(np.asarray(_frame(image).transpose(turn)))
    if image.alpha is None:
        return dataclasses.replace(image, pixels=np.ascontiguousarray(array))
    pixels, alpha = array[..., :-1], array[..., -1]
    return dataclasses.replace(image, pixels=np.ascontiguousarray(pixels), alpha=np.ascontiguousarray(alpha))


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # metadata comes from many programs; a broken tag must not cost the picture
        return 1


def _with_pillow(data: bytes, kind: str, limits: Limits) -> Pages | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `limits` decides
        warnings.filterwarnings("ignore", "Invalid APNG")  # then it is a still image
        image: Any = Image.open(io.BytesIO(data), formats=(kind,))
    count = image.n_frames
    if count < 2:
        return None
    limits.check(image.width, image.height * count, 4, 1)
    start = int(kind == "PNG" and image.default_image)
    notes = ["holds a picture for programs without animations: left out"] if start else []
    if avif.is_deep(data) if kind == "AVIF" else data[24] == 16:
        notes.append("frames hold more than 8 bits a channel: read with 8")
    orientation = _orientation(image)
    turn = TURNS.get(orientation)
    icc, exif, xmp = (image.info.get(name) for name in ("icc_profile", "exif", "xmp"))
    mode = "RGBA" if image.has_transparency_data else "RGB"
    frames, alphas, delays = list[Pixels](), list[Pixels | None](), list[float]()
    for number in range(start, count):
        image.seek(number)
        image.load()
        shown = image.convert(mode)
        array: npt.NDArray[np.uint8] = np.asarray(shown if turn is None else shown.transpose(turn))
        frames.append(np.ascontiguousarray(array[..., :3]))
        alphas.append(np.ascontiguousarray(array[..., 3]) if mode == "RGBA" else None)
        delays.append(float(image.info.get("duration", 0)))
    if gray := all(is_gray(frame) for frame in frames):
        for number, frame in enumerate(frames):
            one: npt.NDArray[Any] = np.ascontiguousarray(frame[..., :1])
            frames[number] = one
    dpi = image.info.get("dpi")
    dpi = dpi[::-1] if dpi and orientation in SIDEWAYS else dpi
    shared = ImageFile(
        frames[0],
        icc=fitting_icc(icc, 1 if gray else 3),
        exif=without_thumbnail(exif) if exif else None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        density=(dpi[0] / 25.4, dpi[1] / 25.4) if dpi else None,
        notes=tuple(notes),
        extras=read_extras(data, kind)[0],
    )
    pictures = zip(frames, alphas, strict=True)
    images = [dataclasses.replace(shared, pixels=pixels, alpha=alpha) for pixels, alpha in pictures]
    return Pages(tuple(images), tuple(delays), avif.plays(data) if kind == "AVIF" else image.info.get("loop", 0))
