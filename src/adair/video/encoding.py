"""Compressing results: the choice of an encoder and its settings, and the encoding of frames."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from adair.errors import InputError
from adair.restore.clips import container_of
from adair.video.colour import LAYOUTS, Layout, Planes
from adair.video.package import load_av


@dataclass(frozen=True)
class Encoder:
    """An FFmpeg encoder.

    Attributes:
        name: FFmpeg's name.
        worst: the largest value of its constant quality scale (crf); 0 if it has none.
        options: further settings.
    """

    name: str
    worst: int
    options: dict[str, str] = field(default_factory=dict)

    def settings(self, quality: int) -> dict[str, str]:
        """Return all settings for a quality from 1 to 100."""
        if not self.worst:
            return dict(self.options)
        return {**self.options, "crf": str(round(self.worst * (1 - quality / 100) ** 0.4))}


ENCODERS = {
    "h264": Encoder("libx264", 51),
    "hevc": Encoder("libx265", 51, {"x265-params": "log-level=error"}),
    "av1": Encoder("libsvtav1", 63, {"preset": "6"}),
    "vp9": Encoder("libvpx-vp9", 63, {"b": "0", "row-mt": "1", "cpu-used": "2"}),
    "prores": Encoder("prores_ks", 0, {"profile": "hq"}),
    "ffv1": Encoder("ffv1", 0, {"level": "3", "slices": "4", "slicecrc": "1"}),
}
"""By codec. At the usual quality of 95 the crf is 15 for H.264 and H.265 and 19 for AV1 and VP9; 80 gives 27 and 33."""

INTERLACED = ("h264", "prores")  # codecs whose encoders support two fields
USUAL = {"webm": ("vp9", "av1")}  # what a container gets where the source's codec will not do; others get these:
ELSEWHERE = ("h264", "av1", "ffv1")


@dataclass(frozen=True)
class Encoding:
    """A choice of encoder.

    Attributes:
        codec: one of `ENCODERS`.
        layout: how pixels are passed to it.
        options: FFmpeg's settings.
        note: what a user should know about the choice; empty if nothing.
    """

    codec: str
    layout: Layout
    options: dict[str, str]
    note: str = ""


def choose_encoding(target: Path, source_codec: str, layout: Layout, codec: str | None, quality: int) -> Encoding:
    """Choose how a result is compressed: like its source if possible.

    Args:
        target: the file; its extension decides the container.
        source_codec: FFmpeg's name of the source's codec.
        layout: how the source stores pixels; it is kept, or replaced by one that stores them without loss.
        codec: one of `ENCODERS`, if the user chose it.
        quality: 1 to 100.

    Raises:
        InputError: an unknown codec, one that the container does not support, or none that can be used.
    """
    container = container_of(target)
    if codec is not None and codec not in ENCODERS:
        raise InputError(f"codec '{codec}': use one of {', '.join(ENCODERS)}")
    offered = _encoders_for(target, container)
    candidates = [codec] if codec else [source_codec, *USUAL.get(container, ELSEWHERE)]
    for name in candidates:
        if name in offered:
            fitting = next((own for own in offered[name] if own.holds(layout)), None)
            if fitting is None and codec is None:
                continue
            note = (
                ""
                if name == source_codec or codec
                else f"written as {name}, {_why_not(source_codec, target, layout, offered)}"
            )
            if fitting is None:
                fitting = offered[name][-1]
                note = f"{name} holds no {layout.name}: written as {fitting.name}"
            return Encoding(name, fitting, ENCODERS[name].settings(quality), note)
    if codec:
        raise InputError(f"{target}: {codec} cannot be written into this kind of file; use one of {', '.join(offered)}")
    raise InputError(f"{target}: no encoder for {layout.name} fits into this kind of file; write .mkv")


def _why_not(codec: str, target: Path, layout: Layout, offered: Mapping[str, list[Layout]]) -> str:
    """Why a result is not compressed as its source is."""
    if codec in offered:
        return f"since {codec} holds no {layout.name}"
    if codec in ENCODERS:
        return f"since {target.suffix} files cannot hold {codec}"
    return f"since there is no encoder for {codec}"


def _encoders_for(target: Path, container: str) -> dict[str, list[Layout]]:
    """Return codecs that have an encoder and fit into a container, with their layouts, the smallest first."""
    av = load_av(target)
    with av.open(io.BytesIO(), "w", format=container) as output:
        held = output.supported_codecs
    found = {}
    for codec, encoder in ENCODERS.items():
        if encoder.name in held:
            names = {form.name for form in av.Codec(encoder.name, "w").video_formats or ()}
            found[codec] = [layout for layout in LAYOUTS if layout.name in names]
    return found


@dataclass(frozen=True)
class Look:
    """The properties that all frames of a result share.

    Attributes:
        width, height: pixels.
        rate: frames per second, for the encoder.
        aspect: width of a pixel by its height, or None.
        primaries, transfer, matrix, levels: FFmpeg's numbers for colour tags.
        interlaced: whether every frame has two fields from different moments.
    """

    width: int
    height: int
    rate: Fraction
    aspect: Fraction | None
    primaries: int
    transfer: int
    matrix: int
    levels: int
    interlaced: bool

    def apply(self, context: Any) -> None:
        """Set everything except size and rate on PyAV's codec context."""
        self.tag(context)
        if self.aspect:
            context.sample_aspect_ratio = self.aspect

    def tag(self, one: Any) -> None:
        """Set the colour tags of PyAV's codec context or frame."""
        one.color_primaries, one.color_trc = self.primaries, self.transfer
        one.colorspace, one.color_range = self.matrix, self.levels


def encode(av: Any, path: Path, encoding: Encoding, look: Look, pictures: Iterator[tuple[Any, Planes]]) -> None:
    """Encode frames into a separate Matroska file, numbered instead of timed.

    Args:
        av: the package.
        path: the file.
        encoding, look: see there.
        pictures: PyAV's frames of the source, from which marks such as the field order and captions are taken, with
            the stored samples that replace theirs, in the layout of ``encoding``.
    """
    with av.open(str(path), "w", format="matroska") as output:
        rate = look.rate.limit_denominator(65535)
        stream = output.add_stream(ENCODERS[encoding.codec].name, rate=rate, options=encoding.options)
        stream.width, stream.height, stream.pix_fmt = look.width, look.height, encoding.layout.name
        context = stream.codec_context
        context.thread_count = 0
        look.apply(context)
        if look.interlaced and encoding.codec in INTERLACED:
            context.flags |= av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
        for number, (source, planes) in enumerate(pictures):
            picture = _picture(source, planes, encoding.layout)
            look.tag(picture)
            picture.pts, picture.time_base, picture.pict_type = number, 1 / rate, 0
            output.mux(stream.encode(picture))
        output.mux(stream.encode())


def _picture(source: Any, planes: Planes, layout: Layout) -> Any:
    """Return a copy of a frame with other samples."""
    height, width = planes[0].shape
    picture = source.reformat(width=width, height=height, format=layout.name)
    picture.make_writable()  # what has this size and layout already is not copied by that
    for plane, values in zip(picture.planes, planes, strict=True):
        lines = np.frombuffer(plane, layout.dtype).reshape(plane.height, -1)
        lines[:, : plane.width] = values
    return picture
