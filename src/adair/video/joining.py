"""Joining finished pieces into the result, with real times and everything else of the source unchanged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from adair.errors import AdairError, InputError
from adair.restore.clips import container_of
from adair.video.encoding import Look
from adair.video.package import explained, load_av
from adair.video.source import Video

OTHER_KINDS = ("audio", "subtitle", "data", "attachment", "video")
OWN = {
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "number_of_frames",
    "number_of_bytes",
}
APPLE = {"mp4": "hvc1", "mov": "hvc1"}  # the name of H.265 that Apple's players know


@dataclass(frozen=True)
class Pictures:
    """The restored frames of a video.

    Attributes:
        pieces: their files, in order.
        times: when each is shown, in units of ``time_base``.
        last: how long the last one is shown, in the same units.
        look: colour tags and the shape of a pixel.
        matrix: the display matrix (nine integers), which rotates or flips the frames; None for none.
    """

    pieces: Sequence[Path]
    times: Sequence[int]
    last: int
    time_base: Fraction
    look: Look
    matrix: tuple[int, ...] | None


def join(video: Video, pictures: Pictures | None, path: Path, target: Path) -> list[str]:
    """Write a video with new frames, or (None) with its own.

    Args:
        video: the source, just opened, of which sound, subtitles, chapters and so on are copied.
        pictures: the restored frames.
        path: the file to write.
        target: its final name, which decides the container.

    Returns:
        What the container cannot store, one line each.

    Raises:
        AdairError: the file cannot be written.
    """
    others = [stream for stream in video.container.streams if pictures is None or stream is not video.stream]
    notes: list[str] = []
    while True:
        left = [stream for stream in others if stream.type in OTHER_KINDS]
        try:
            return notes + _write(video, pictures, left, path, target)
        except _HeaderError as error:  # FFmpeg does not say which stream it cannot write
            kind = next(
                (kind for kind in ("data", "attachment", "subtitle") if any(s.type == kind for s in left)), None
            )
            if kind is None:
                raise AdairError(f"{target}: cannot be written ({error}); write .mkv") from error
            notes.append(f"{kind} cannot be written into {target.suffix}: left out; .mkv may hold it")
            others = [stream for stream in left if stream.type != kind]


class _HeaderError(Exception):
    """The header could not be written."""


def _write(video: Video, pictures: Pictures | None, others: Sequence[Any], path: Path, target: Path) -> list[str]:
    av = load_av(target)
    container = container_of(target)
    notes = []
    with ExitStack() as stack:
        stack.enter_context(explained(target, "cannot be written"))
        output = stack.enter_context(av.open(str(path), "w", format=container))
        output.metadata.update({k: v for k, v in video.container.metadata.items() if k.lower() not in OWN})
        copies: dict[int, Any] = {}
        sources: list[Iterator[Any]] = []
        if pictures is not None:
            first = stack.enter_context(av.open(str(pictures.pieces[0])))
            own = output.add_stream_from_template(first.streams.video[0], opaque=True)
            own.time_base = pictures.time_base
            context = own.codec_context
            context.framerate = video.rate
            if context.codec.canonical_name == "hevc" and container in APPLE:
                context.codec_tag = APPLE[container]
            pictures.look.apply(context)
            own.set_display_matrix(pictures.matrix)
            _describe(own, video.stream)
            sources.append(_pictures_of(av, pictures, own))
        held = output.supported_codecs
        for stream in others:
            if stream.codec_context is not None and stream.codec_context.codec.name not in held:
                if stream is video.stream:
                    raise InputError(f"{target}: {video.codec} cannot be copied into this kind of file; write .mkv")
                notes.append(f"{stream.type} of {_named(stream)} cannot be written into {target.suffix}: left out")
                continue
            copy = output.add_stream_from_template(stream, opaque=True)
            _describe(copy, stream)
            copies[stream.index] = copy
        output.set_chapters(video.container.chapters())
        try:
            output.start_encoding()
        except (av.error.FFmpegError, ValueError) as error:
            raise _HeaderError(getattr(error, "strerror", None) or str(error)) from error
        if copies:
            sources.append(_copied(video, copies))
        for packet in heapq.merge(*sources, key=_moment):
            output.mux(packet)
    return notes


def _describe(stream: Any, source: Any) -> None:
    stream.metadata.update({key: value for key, value in source.metadata.items() if key.lower() not in OWN})
    stream.disposition = source.disposition


def _named(stream: Any) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    return f"track {stream.index} ({codec or 'unknown'})"


def _moment(packet: Any) -> float:
    """Return the decoding time of a packet, in seconds."""
    return float(packet.dts * packet.time_base)


def _copied(video: Video, copies: dict[int, Any]) -> Iterator[Any]:
    """Yield the packets of other streams unchanged."""
    with explained(video.path, "cannot be read on"):
        for packet in video.container.demux([stream for stream in video.container.streams if stream.index in copies]):
            if packet.size == 0:  # what demux sends at the end
                continue
            if packet.dts is None:
                packet.dts = packet.pts or 0
            packet.stream = copies[packet.stream_index]
            yield packet


def _pictures_of(av: Any, pictures: Pictures, stream: Any) -> Iterator[Any]:
    """Yield the packets of all pieces with real times.

    Packets come in the order in which they are decoded; one is never decoded later than it is shown, so all are
    decoded so many pictures earlier as any of them lies behind its place.
    """
    numbers: list[int] = []
    for piece in pictures.pieces:
        with av.open(str(piece)) as container:
            shown = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
        places = {moment: place for place, moment in enumerate(sorted(shown))}
        numbers += [len(numbers) + places[moment] for moment in shown]
    times = [*pictures.times[: len(numbers)], pictures.times[len(numbers) - 1] + pictures.last]
    delay = max(place - number for place, number in enumerate(numbers))
    step = max(1, pictures.last)
    place = 0
    for piece in pictures.pieces:
        with av.open(str(piece)) as container:
            for packet in container.demux(video=0):
                if packet.pts is None:
                    continue
                number, decoded = numbers[place], place - delay
                packet.time_base = pictures.time_base
                packet.pts, packet.duration = times[number], times[number + 1] - times[number]
                packet.dts = times[decoded] if decoded >= 0 else times[0] + decoded * step
                packet.stream = stream
                yield packet
                place += 1
