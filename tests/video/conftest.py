"""Tiny videos, made and read with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adair.images import ImageFile
from adair.restore import RestoreOptions
from adair.restore.restoration import Progress, Restoration
from adair.restore.tasks import check_scale, parse_task

TIMES = (0, 25, 50, 90, 100, 130, 170, 171, 200, 260, 300, 333)  # in 600ths of a second: not evenly spaced


@dataclass(frozen=True)
class Clip:
    """What a video is to be like; `write` makes it."""

    codec: str = "libx264"
    form: str = "yuv420p"
    size: tuple[int, int] = (64, 48)
    times: Sequence[int] = TIMES
    time_base: Fraction = Fraction(1, 600)
    tags: tuple[int, int, int, int] = (1, 1, 1, 1)  # primaries, transfer, matrix, range
    options: dict[str, str] = field(default_factory=lambda: {"crf": "5"})
    sound: bool = True
    subtitles: str | None = None
    rotation: int = 0
    aspect: Fraction | None = None
    interlaced: bool = False
    seed: int = 0

    def write(self, path: Path) -> Path:
        """Write noise on a slope that moves, half a second of sound, and subtitles."""
        import av

        width, height = self.size
        rng = np.random.default_rng(self.seed)
        wide = self.form.endswith("le")
        with av.open(str(path), "w") as output:
            stream = output.add_stream(self.codec, rate=24, options=dict(self.options))
            stream.width, stream.height, stream.pix_fmt = width, height, self.form
            context = stream.codec_context
            context.time_base = stream.time_base = self.time_base
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = self.tags
            context.sample_aspect_ratio = self.aspect or Fraction(1)
            if self.interlaced:
                context.flags |= av.codec.context.Flags.interlaced_dct | av.codec.context.Flags.interlaced_me
            if self.rotation:
                stream.set_display_rotation(self.rotation)
            stream.metadata["language"] = "ger"
            output.metadata["title"] = "A clip"
            sound = words = None
            if self.sound:
                sound = output.add_stream("aac", rate=16000)
                sound.layout = "mono"
                sound.metadata["language"] = "fre"
            if self.subtitles:
                words = output.add_mux_stream(self.subtitles, time_base=Fraction(1, 1000))
            packets = []
            for number, time in enumerate(self.times):
                frame = av.VideoFrame(width, height, self.form)
                for plane in frame.planes:
                    lines = np.frombuffer(plane, np.uint16 if wide else np.uint8).reshape(plane.height, -1)
                    slope = np.arange(lines.shape[1]) + 2 * number
                    values = 90 + slope + rng.integers(-8, 9, lines.shape)
                    lines[:] = values * 4 if wide else values
                frame.pts, frame.time_base = time, self.time_base
                frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = self.tags
                packets += stream.encode(frame)
            output.mux(packets + stream.encode())
            if sound is not None:
                for number in range(8):
                    wave = av.AudioFrame("s16", "mono", 1024)
                    np.frombuffer(wave.planes[0], np.int16)[:1024] = rng.integers(-3000, 3000, 1024)
                    wave.sample_rate, wave.pts, wave.time_base = 16000, number * 1024, Fraction(1, 16000)
                    output.mux(sound.encode(wave))
                output.mux(sound.encode())
            if words is not None:
                packet = av.Packet(b"Hello")
                packet.stream, packet.time_base = words, Fraction(1, 1000)
                packet.pts = packet.dts = 100
                packet.duration = 200
                output.mux(packet)
        return path


@dataclass(frozen=True)
class Seen:
    """What a video holds when it is read."""

    times: list[Fraction]
    frames: list[Any]
    codec: str
    sound: list[tuple[Fraction, bytes]]
    subtitles: list[bytes]
    metadata: dict[str, str]
    aspect: Fraction | None

    @property
    def form(self) -> str:
        return str(self.frames[0].format.name)

    @property
    def tags(self) -> tuple[int, int, int, int]:
        first = self.frames[0]
        return first.color_primaries, first.color_trc, first.colorspace, first.color_range

    def pixels(self) -> list[np.ndarray]:
        return [frame.to_ndarray() for frame in self.frames]


def look(path: Path) -> Seen:
    """Read a video."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        times = [frame.pts * stream.time_base for frame in frames]
        codec, aspect = stream.codec_context.codec.canonical_name, stream.sample_aspect_ratio
        title = dict(container.metadata)
    return Seen(
        times, frames, codec, _packets(path, "audio"), [data for _, data in _packets(path, "subtitle")], title, aspect
    )


def _packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    import av

    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(streams) if p.size] if streams else []


class Dimmer:
    """Stands for a restorer: makes every picture a tenth darker, and counts them."""

    tasks = ("denoise", "dejpeg", "sr")

    def __init__(self, after: Callable[[int], None] | None = None) -> None:
        self.calls = 0
        self._after = after

    def check(self, options: RestoreOptions) -> str:
        check_scale(options.scale, parse_task(options.task, self.tasks))
        return "dimmed"

    def mark(self, options: RestoreOptions) -> str:
        return repr((options.task, options.strength))

    def run(
        self, image: ImageFile, options: RestoreOptions, progress: Progress | None = None
    ) -> Restoration[ImageFile]:
        self.calls += 1
        scale = check_scale(options.scale, parse_task(options.task, self.tasks))
        pixels = (image.pixels * 0.9).astype(image.pixels.dtype).repeat(scale, 0).repeat(scale, 1)
        if self._after:
            self._after(self.calls)
        if progress:
            progress(1, 1)
        return Restoration(image if options.strength == 0 else ImageFile(pixels), ())


@pytest.fixture
def clips() -> type[Clip]:
    return Clip


@pytest.fixture
def see() -> Callable[[Path], Seen]:
    return look


@pytest.fixture
def dimmer() -> Dimmer:
    return Dimmer()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """An MP4 with uneven times, sound, and a title."""
    return Clip().write(tmp_path / "clip.mp4")
