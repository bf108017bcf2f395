"""From an upload to the bytes of the response, independent of HTTP."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from adair.errors import InputError, Interrupted
from adair.images.image_file import ImageFile
from adair.restore import Restorer
from adair.restore.mask import Mask
from adair.restore.options import RestoreOptions
from adair.restore.tasks import OTHER_ADAPTERS, check_scale, is_auto, parse_task
from adair.serve.admission import Admission
from adair.serve.codec import MASK, decode, encode, format_of
from adair.serve.config import ServeConfig
from adair.serve.forms import Upload
from adair.serve.metrics import Metrics


@dataclass(frozen=True)
class Order:
    """A client's order.

    Attributes:
        options: how to restore.
        scale: how many times larger the result is.
        format: format of the response, a key of `MEDIA_TYPES`; None for that of the upload.
        quality: 1 to 100, for lossy formats.
    """

    options: RestoreOptions
    scale: int
    format: str | None
    quality: int


@dataclass(frozen=True)
class Answer:
    """The bytes of a restored image, their format, and notes for the user, one line each."""

    data: bytes
    format: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A running order: the future of its response, and a way to cancel it.

    Attributes:
        answer: the response.
        upload: what is to be restored; taken out by the thread that begins with it.
        cancelled: set when nobody waits for the response any more.
    """

    answer: Future[Answer]
    upload: list[Upload]
    cancelled: threading.Event

    def cancel(self) -> None:
        """Cancel it: at once if it waits, otherwise after the current tile."""
        self.cancelled.set()
        if self.answer.cancel():  # the pool keeps what it was given until a thread is free
            self.upload.clear()


class Service:
    """A restorer with a bounded number of worker threads.

    Args:
        restorer: on a `BatchingRuntime`, so that small images run together.
        config: the limits.
        metrics: records how much was restored.
    """

    def __init__(self, restorer: Restorer, config: ServeConfig, metrics: Metrics) -> None:
        self.restorer, self.config, self.metrics = restorer, config, metrics
        self.admission = Admission(config, metrics)
        self._threads = ThreadPoolExecutor(config.parallel, "adair-image")
        self._open = True

    @property
    def ready(self) -> bool:
        """Whether orders are accepted."""
        return self._open

    def order(self, options: RestoreOptions, format: str | None, quality: int) -> Order:
        """Check an order before anything is uploaded.

        Raises:
            InputError: an unknown task or a bad scale.
        """
        try:
            steps = () if is_auto(options.task) else parse_task(options.task, self.restorer.tasks)
        except InputError as error:
            raise InputError(str(error).removesuffix(OTHER_ADAPTERS)) from error
        return Order(options, check_scale(options.scale, steps), format, quality)

    def start(self, upload: Upload, order: Order) -> Job:
        """Append an order to the queue."""
        waiting, cancelled = [upload], threading.Event()
        return Job(self._threads.submit(self._work, waiting, order, cancelled), waiting, cancelled)

    def close(self) -> None:
        """Finish the running orders."""
        self._open = False
        self._threads.shutdown()

    def _work(self, waiting: list[Upload], order: Order, cancelled: threading.Event) -> Answer:
        upload = waiting.pop()
        image = decode(upload.image, self.config.max_pixels // order.scale**2)
        format = order.format or format_of(upload.image)
        mask = None if upload.mask is None else self._mask(upload.mask, image)
        options = replace(order.options, mask=mask)
        with self.admission.hold(_size(image, order.scale) + (0 if mask is None else mask.weights.nbytes)):
            restored = self.restorer.run(image, options, _Watch(cancelled))
            self.metrics.pixels.inc(restored.image.pixels.shape[0] * restored.image.pixels.shape[1])
            body, lost = encode(restored.image, format, order.quality)
        found = tuple(f"auto: {advice}" for advice in restored.advice)
        return Answer(body, format, (*image.notes, *found, *lost))

    def _mask(self, data: bytes, image: ImageFile) -> Mask:
        """Decode a mask; it must have the size of the image."""
        mask = Mask.of(decode(data, self.config.max_pixels, MASK).pixels)
        mask.check(*image.pixels.shape[:2])
        return mask


@dataclass(frozen=True)
class _Watch:
    """Checks after every tile whether the order was cancelled."""

    cancelled: threading.Event

    def __call__(self, done: int, total: int) -> None:
        if self.cancelled.is_set():
            raise Interrupted("cancelled: nobody is waiting for the result")


def _size(image: ImageFile, scale: int) -> int:
    """Return the bytes of an image and its result."""
    alpha = 0 if image.alpha is None else image.alpha.nbytes
    return (image.pixels.nbytes + alpha) * (1 + scale**2)
