"""From an upload to the bytes of the answer: what the HTTP interface asks for, without HTTP."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from adair.errors import Interrupted
from adair.images.image_file import ImageFile
from adair.restore import Restorer
from adair.restore.options import RestoreOptions
from adair.restore.tasks import check_scale, is_auto, parse_task
from adair.serve.admission import Admission
from adair.serve.codec import decode, encode, format_of
from adair.serve.config import ServeConfig
from adair.serve.metrics import Metrics


@dataclass(frozen=True)
class Order:
    """What a client asks for.

    Attributes:
        options: how to restore.
        scale: how many times as wide the result is.
        format: of the answer, a key of `MEDIA_TYPES`; None for that of the upload.
        quality: 1 to 100, for formats that lose something.
    """

    options: RestoreOptions
    scale: int
    format: str | None
    quality: int


@dataclass(frozen=True)
class Answer:
    """The bytes of a restored image, their format, and what a user should know about them, one line each."""

    data: bytes
    format: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """An order in work: the promise of its answer, and the way to end it early."""

    answer: Future[Answer]
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End it: at once if it waits, else after its current tile."""
        self.cancelled.set()
        self.answer.cancel()


class Service:
    """A restorer with a bounded number of threads that work for clients.

    Args:
        restorer: on a `BatchingRuntime`, so that small images run together.
        config: the limits.
        metrics: told how much was restored.
    """

    def __init__(self, restorer: Restorer, config: ServeConfig, metrics: Metrics) -> None:
        self.restorer, self.config, self.metrics = restorer, config, metrics
        self.admission = Admission(config, metrics)
        self._threads = ThreadPoolExecutor(config.parallel, "adair-image")
        self._open = True

    @property
    def ready(self) -> bool:
        """Whether orders are taken."""
        return self._open

    def order(self, options: RestoreOptions, format: str | None, quality: int) -> Order:
        """Check an order before anything is uploaded.

        Raises:
            InputError: an unknown task or a bad scale.
        """
        steps = () if is_auto(options.task) else parse_task(options.task, self.restorer.tasks)
        return Order(options, check_scale(options.scale, steps), format, quality)

    def start(self, data: bytes, order: Order) -> Job:
        """Put an order at the end of the line."""
        cancelled = threading.Event()
        return Job(self._threads.submit(self._work, data, order, cancelled), cancelled)

    def close(self) -> None:
        """Finish what is in work."""
        self._open = False
        self._threads.shutdown()

    def _work(self, data: bytes, order: Order, cancelled: threading.Event) -> Answer:
        image = decode(data, self.config.max_pixels // order.scale**2)
        format = order.format or format_of(data)
        with self.admission.hold(_size(image, order.scale)):
            restored = self.restorer.run(image, order.options, _Watch(cancelled))
            self.metrics.pixels.inc(restored.image.pixels.shape[0] * restored.image.pixels.shape[1])
            body, lost = encode(restored.image, format, order.quality)
        found = tuple(f"auto: {advice}" for advice in restored.advice)
        return Answer(body, format, (*image.notes, *found, *lost))


@dataclass(frozen=True)
class _Watch:
    """Looks after every tile whether anybody still waits."""

    cancelled: threading.Event

    def __call__(self, done: int, total: int) -> None:
        if self.cancelled.is_set():
            raise Interrupted("cancelled: nobody waits for the result any more")


def _size(image: ImageFile, scale: int) -> int:
    """Bytes of an image and its result."""
    alpha = 0 if image.alpha is None else image.alpha.nbytes
    return (image.pixels.nbytes + alpha) * (1 + scale**2)
