"""Restoring one video into another, keeping everything except the frames."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from adair.errors import AdairError, InputError
from adair.images.files import new_file
from adair.inspect import Advice
from adair.restore.clips import container_of
from adair.restore.options import RestoreOptions
from adair.restore.restoration import FileRestorer, Progress
from adair.restore.single import FileOptions, FileResult, bundled_restorer, check_free, either
from adair.restore.tasks import TaskSpec, check_scale, is_auto, parse_task
from adair.video.choosing import SAMPLES, choose_for_all
from adair.video.colour import BT709, Planes
from adair.video.encoding import INTERLACED, Encoding, Look, choose_encoding, encode
from adair.video.frames import FrameRestorer, image_of
from adair.video.joining import Pictures, join
from adair.video.package import explained, load_av
from adair.video.pieces import LENGTH, Pieces
from adair.video.source import Frame, Video, has_alpha, layout_of, open_video

USUAL = FileOptions()
HDR = {16: "PQ", 18: "HLG"}  # numbers of transfer functions in H.273


def restore_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    task: TaskSpec | None = None,
    *,
    options: RestoreOptions | None = None,
    files: FileOptions = USUAL,
    restorer: FileRestorer | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Restore a video frame by frame; sound, subtitles, timing, colour tags and rotation are kept.

    Memory does not grow with the length. Finished parts are stored in a hidden folder next to ``target`` until the
    result is complete: after a kill, the same call resumes, and at most the last 120 frames are lost.

    Args:
        source: the video file.
        target: where the result goes: .mp4, .m4v, .mov, .mkv or .webm. It is written atomically.
        task: what to undo; short for ``options=RestoreOptions(task)``. "auto" decides once, by frames from all over
            the video.
        options: how each frame is restored; give this or ``task``.
        files: how files are read and written.
        restorer: the restorer; None for one with the bundled weights, loaded once for all calls.
        progress: called after every tile with the frames done and the total, if the file states
            it. An exception in it ends the work: raise `Interrupted` to cancel.

    Raises:
        InputError: PyAV is missing (extra ``video``), or a file, task, codec or container that cannot be used.
        AdairError: an existing target, or whatever `Restorer.restore` raises.

    Example:
        >>> import adair
        >>> adair.restore_video("clip.mp4", "better.mp4", task="denoise")  # doctest: +SKIP
    """
    source, target = Path(source), Path(target)
    chosen = either(task, options, "restore_video")
    load_av(source)
    container_of(target)
    restorer = restorer or bundled_restorer()
    restorer.check(chosen)
    check_free(target, files.overwrite)
    start = time.perf_counter()
    advice = None
    if is_auto(chosen.task):
        advice = _choose(restorer, chosen, source, files)
        chosen = replace(chosen, task=advice.plan)
    if advice is not None and not advice.plan:
        notes = _publish(source, None, target, files)
        return FileResult(source, target, 0.0, time.perf_counter() - start, advice, tuple(notes))
    with open_video(source, files.max_pixels) as video:
        pieces = Pieces(target, _mark(restorer, chosen, source, target, files))
        run = _Run(video, restorer, chosen, files, pieces, progress)
        pictures = run.pictures()
    notes = [*run.notes, *_publish(source, pictures, target, files)]
    pieces.remove()
    megapixels = pictures.look.width * pictures.look.height * len(pictures.times) / 1e6
    return FileResult(source, target, megapixels, time.perf_counter() - start, advice, tuple(notes))


def _choose(restorer: FileRestorer, options: RestoreOptions, source: Path, files: FileOptions) -> Advice:
    with open_video(source, files.max_pixels) as video:
        pictures = video.sample(SAMPLES)
        if not pictures:
            raise InputError(f"{source}: no picture of it can be decoded")
        images = [image_of(picture, layout_of(picture)) for picture in pictures]
    return choose_for_all(restorer, options, images)


def _mark(restorer: FileRestorer, options: RestoreOptions, source: Path, target: Path, files: FileOptions) -> str:
    """Return a hash of everything that determines the pieces."""
    state = source.stat()
    facts = (
        *(restorer.mark(options), files.quality, files.codec, container_of(target)),
        *(str(source.resolve()), state.st_size, state.st_mtime_ns),
        *(load_av(source).__version__, LENGTH),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _publish(source: Path, pictures: Pictures | None, target: Path, files: FileOptions) -> list[str]:
    """Write the result, with new frames or (None) with its own; return notes."""
    try:
        with open_video(source, files.max_pixels) as video, new_file(target, files.overwrite) as part:
            if pictures is None and source.suffix.lower() == target.suffix.lower():
                shutil.copyfile(source, part)
                return []
            return join(video, pictures, part, target)
    except OSError as error:
        raise AdairError(f"{target}: cannot be written: {error.strerror or error}") from error


@dataclass
class _Run:
    """Restores the frames of one video, piece by piece."""

    video: Video
    restorer: FileRestorer
    options: RestoreOptions
    files: FileOptions
    pieces: Pieces
    progress: Progress | None
    times: list[int] = field(default_factory=list)
    last: int = 0
    notes: list[str] = field(default_factory=list)

    def pictures(self) -> Pictures:
        """Restore what earlier runs have not, and return all frames."""
        frames = self.video.frames()
        first = next(frames, None)
        if first is None:
            raise InputError(f"{self.video.path}: no picture of it can be decoded")
        target = self.pieces.target
        layout = layout_of(first.picture)
        encoding = choose_encoding(target, self.video.codec, layout, self.files.codec, self.files.quality)
        look = self._look(first.picture)
        self._note(first.picture, encoding)
        done = self.pieces.prepare()
        frames = chain([first], frames)
        for frame in islice(frames, done * LENGTH):
            self._count(frame)
        for frame in frames:
            piece = self.pieces.path(len(self.times) // LENGTH)
            group = chain([frame], islice(frames, LENGTH - 1))
            # A new one for every piece, so that a piece does not depend on what this run has done before.
            restorer = FrameRestorer(self.restorer, self.options, encoding.layout)
            with explained(target, f"cannot be encoded as {encoding.codec}"), new_file(piece) as part:
                encode(load_av(target), part, encoding, look, self._restored(group, restorer))
        if self.video.damaged:
            self.notes.append(f"{self.video.damaged} damaged packets were left out")
        promised = self.video.promised
        if len(self.times) < 0.98 * promised:
            self.notes.append(f"holds {len(self.times)} of the {promised} frames that it promises")
        return Pictures(
            self.pieces.finished(), self.times, self.last, self.video.stream.time_base, look, _matrix(first.picture)
        )

    def _restored(self, frames: Iterator[Frame], restorer: FrameRestorer) -> Iterator[tuple[Any, Planes]]:
        for frame in frames:
            tick = partial(self._report, frame.number)
            yield frame.picture, restorer.restore(frame.picture, tick)
            self._count(frame)

    def _count(self, frame: Frame) -> None:
        self.times.append(frame.time)
        step = 1 / (self.video.rate * self.video.stream.time_base)
        self.last = frame.picture.duration or max(1, round(step))
        self._report(frame.number + 1)

    def _report(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, max(self.video.count, done))

    def _look(self, picture: Any) -> Look:
        scale = check_scale(self.options.scale, parse_task(self.options.task, self.restorer.tasks))
        matrix = BT709 if picture.format.is_rgb else picture.colorspace
        levels = 1 if picture.format.is_rgb else picture.color_range
        return Look(
            picture.width * scale,
            picture.height * scale,
            self.video.rate,
            self.video.stream.sample_aspect_ratio,
            picture.color_primaries,
            picture.color_trc,
            matrix,
            levels,
            picture.interlaced_frame,
        )

    def _marks_aspect(self) -> bool:
        """Whether the container states the pixel aspect ratio; in Matroska, PyAV does not set it."""
        return container_of(self.pieces.target) in ("mp4", "mov")

    def _note(self, picture: Any, encoding: Encoding) -> None:
        """Report what a user should know."""
        if encoding.note:
            self.notes.append(encoding.note)
        if has_alpha(picture):
            self.notes.append("transparency is left out")
        if picture.interlaced_frame and encoding.codec not in INTERLACED:
            self.notes.append(f"is interlaced, which {encoding.codec} does not mark; --codec h264 does")
        aspect = self.video.stream.sample_aspect_ratio
        if aspect not in (None, 0, 1) and encoding.codec not in ("h264", "hevc") and not self._marks_aspect():
            self.notes.append("pixels that are not square cannot be marked there; write .mp4 or .mov, or as h264")
        if picture.color_trc in HDR:
            self.notes.append(f"is HDR ({HDR[picture.color_trc]}), and the networks were trained on standard range")


def _matrix(picture: Any) -> tuple[int, ...] | None:
    """The display matrix of a picture, if it has one."""
    for data in picture.side_data:  # PyAV yields values
        if data.type.name == "DISPLAYMATRIX":
            return tuple(np.frombuffer(data, np.int32).tolist())
    return None
