"""A video file that is read: its first video stream frame by frame, with the time of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from adair.errors import AdairError, FileFormatError, InputError, TooLargeError
from adair.images.files import open_regular
from adair.video.colour import BT709, FULL, LAYOUTS, UNKNOWN, Array, Colour, Layout, Planes
from adair.video.package import explained, load_av

# Containers that hold their pictures themselves: playlists, which name other files, are not read.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,flv,ogg,dv,mxf,h264,hevc,m4v,mpegvideo"
USUAL_RATE = Fraction(25)  # frames a second where a file names none
RGB = 0  # number of the matrix of RGB in H.273


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        number: counted from 0, in the order in which they are shown.
        time: when it is shown, in units of the stream's time base.
        picture: PyAV's frame.
    """

    number: int
    time: int
    picture: Any


@dataclass
class Video:
    """An open video file; made by `open_video`.

    Attributes:
        path: the file.
        container, stream: PyAV's.
        damaged: packets that could not be decoded, so far.
    """

    path: Path
    container: Any
    stream: Any
    max_pixels: int
    damaged: int = 0
    _size: tuple[int, int] | None = field(default=None, repr=False)

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        rate = self.stream.average_rate or self.stream.guessed_rate or USUAL_RATE
        return Fraction(rate) if rate > 0 else USUAL_RATE

    @property
    def seconds(self) -> float:
        """Length; 0 where the file does not say."""
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        return float(self.container.duration or 0) / float(load_av(self.path).time_base)

    @property
    def count(self) -> int:
        """Frames in all, as far as the file says; at least 1."""
        return max(1, self.stream.frames or round(self.seconds * self.rate))

    @property
    def promised(self) -> int:
        """Frames that there must be; 0 where the file does not say. Other containers count empty ones, too."""
        return int(self.stream.frames) if "mp4" in self.container.format.name else 0

    @property
    def codec(self) -> str:
        """FFmpeg's name of the format of the pictures: "h264"."""
        return str(self.stream.codec_context.codec.canonical_name)

    def frames(self) -> Iterator[Frame]:
        """Yield all frames from the first on; times never go back.

        Raises:
            AdairError: the file cannot be read on, or the size of the picture changes.
        """
        last = None
        step = max(1, round(1 / (self.rate * self.stream.time_base)))
        number = 0
        for picture in self._pictures():
            self._check(picture)
            known = picture.pts if picture.pts is not None else picture.dts
            time = known if known is not None else 0 if last is None else last + step
            time = time if last is None else max(time, last + 1)
            yield Frame(number, time, picture)
            number, last = number + 1, time

    def sample(self, most: int) -> list[Any]:
        """Return up to ``most`` pictures from all over the video; the position of `frames` is lost."""
        av = load_av(self.path)
        pictures: list[Any] = []
        start = self.container.start_time or 0
        for number in range(most):
            try:
                self.container.seek(start + int(self.seconds * av.time_base * (number + 0.5) / most))
                picture = next(self._pictures())
            except (av.error.FFmpegError, StopIteration):
                continue
            self._check(picture)
            pictures.append(picture)
        return pictures

    def _pictures(self) -> Iterator[Any]:
        invalid = load_av(self.path).error.InvalidDataError
        with explained(self.path, "cannot be read on"):
            for packet in self.container.demux(self.stream):
                try:
                    yield from packet.decode()
                except invalid:
                    self.damaged += 1

    def _check(self, picture: Any) -> None:
        size = picture.width, picture.height
        if size[0] * size[1] > self.max_pixels:
            raise TooLargeError(
                f"{self.path}: {size[0]}x{size[1]} pixels are more than the {self.max_pixels:,} that are allowed; "
                "raise --max-megapixels (max_pixels) if the file is trusted"
            )
        if self._size is None:
            self._size = size
        if size != self._size:
            raise InputError(
                f"{self.path}: the picture changes from {self._size[0]}x{self._size[1]} to {size[0]}x{size[1]} pixels; "
                "cut it there, and restore the parts one by one"
            )


@contextmanager
def open_video(path: Path, max_pixels: int) -> Iterator[Video]:
    """Open a video file.

    Raises:
        InputError: PyAV is missing; no regular file; no video in it.
        FileFormatError: FFmpeg cannot read it.
    """
    av = load_av(path)
    try:
        with open_regular(path) as file:
            options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
            try:
                container = av.open(file, "r", container_options=options, metadata_errors="replace")
            except av.error.FFmpegError as error:
                why = error.strerror or type(error).__name__
                raise FileFormatError(f"{path}: cannot be read as a video ({why})") from error
            with container:
                pictures = av.stream.Disposition.attached_pic
                streams = [one for one in container.streams.video if not one.disposition & pictures]
                if not streams or streams[0].codec_context is None:
                    raise InputError(f"{path}: holds no video that can be decoded; restore photos as image files")
                streams[0].thread_type = "AUTO"
                yield Video(path, container, streams[0], max_pixels)
    except OSError as error:
        if isinstance(error, AdairError):
            raise
        exists = path.exists()
        raise InputError(f"{path}: {'cannot be read' if exists else 'not found'}; give a file that you may read") from (
            error
        )


def layout_of(picture: Any) -> Layout:
    """Return the smallest of `LAYOUTS` that holds all of a picture, but for its opacity."""
    form = type(picture.format)(picture.format.name, 64, 64)
    bits = max(part.bits for part in form.components)
    if len(form.components) < 3 and not form.is_rgb:
        across = down = 0
    else:
        across, down = (1, 1) if form.is_rgb else (64 // form.chroma_width(), 64 // form.chroma_height())
    wanted = Layout(form.name, min(bits, LAYOUTS[-1].bits), across, down)
    return next(layout for layout in LAYOUTS if layout.holds(wanted) and (layout.across > 0) == (across > 0))


def has_alpha(picture: Any) -> bool:
    """Whether a picture is transparent in places, or could be."""
    return any(part.is_alpha for part in picture.format.components)


def colour_of(picture: Any, layout: Layout) -> Colour:
    """Return what the samples of a picture mean once `planes_of` has brought them to ``layout``."""
    if picture.format.is_rgb:
        return Colour(layout, BT709, False, picture.height)
    full = picture.color_range == FULL or picture.format.name.startswith("yuvj")
    return Colour(layout, picture.colorspace or UNKNOWN, full, picture.height)


def planes_of(picture: Any, layout: Layout) -> Planes:
    """Return the stored samples of a picture in ``layout``, which holds it."""
    if picture.format.name.replace("yuvj", "yuv") != layout.name:
        rgb = {"dst_colorspace": BT709, "dst_color_range": 1} if picture.format.is_rgb else {}
        picture = picture.reformat(format=layout.name, interpolation="BICUBIC", **rgb)
    return tuple(_array(plane, layout) for plane in picture.planes)


def _array(plane: Any, layout: Layout) -> Array:
    lines = np.frombuffer(plane, layout.dtype).reshape(plane.height, -1)
    return lines[:, : plane.width].copy()  # the frame may get another buffer
