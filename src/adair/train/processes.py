"""The processes of a run, and the signals that stop it.

Several processes train one network, each on its part of every batch (``accelerate launch``). The first Ctrl-C or
SIGTERM ends a run at a checkpoint, a second Ctrl-C ends it at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from adair.errors import AdairError

T = TypeVar("T")
P = ParamSpec("P")
GPU_AGREES = 10  # steps between agreements on a GPU, which stall it
SAME_SIGNAL = 1.0  # seconds in which a launcher may forward a Ctrl-C that the terminal has sent already


class Processes:
    """This process among those that train together; a single process has no overhead.

    Args:
        rank: number of this process; process 0 validates, writes and prints.
        count: number of processes.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self._calls, self._agreed = 0, (False, 0.0)

    @property
    def first(self) -> bool:
        """Whether this is the process that validates, writes and prints."""
        return self.rank == 0

    def agree(self, stop: bool, seconds: float, device: torch.device) -> tuple[bool, float]:
        """Return whether any process wants to stop, and the first one's clock; the same on all of them."""
        if self.count == 1:
            return stop, seconds
        if device.type == "cpu" or self._calls % GPU_AGREES == 0:
            shared = torch.tensor([float(stop), seconds if self.first else 0.0], dtype=torch.float64, device=device)
            dist.all_reduce(shared)
            stops, clock = shared.tolist()
            self._agreed = (stops > 0, clock)
        self._calls += 1
        return self._agreed

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over the processes, all in one message."""
        if self.count == 1:
            return
        flat = [tensor.as_strided((tensor.numel(),), (1,)) for tensor in tensors]  # memory order, the same everywhere
        message = torch.cat(flat)
        dist.all_reduce(message)
        torch._foreach_copy_(flat, list(message.split([tensor.numel() for tensor in flat])))

    def from_first(self, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``make`` on the first process; return its (small) result, or raise its error, on all of them."""
        if self.count == 1:
            return make(*args, **kwargs)
        message: list[Any] = [None, None]
        if self.first:
            try:
                message[0] = make(*args, **kwargs)
            except AdairError as error:
                message[1] = str(error)
        dist.broadcast_object_list(message)
        if message[1] is not None:
            raise AdairError(message[1])
        made: T = message[0]
        return made

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor.as_strided((tensor.numel(),), (1,)), 0)


def join_processes(device: str | None = None) -> Processes:
    """Join the other processes that a launcher has started; without a launcher, import nothing.

    Args:
        device: as requested by the user; processes communicate over gloo with "cpu", over NCCL with GPUs.

    Raises:
        AdairError: accelerate is missing, or was called in a way that starts only one process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        if os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ:
            raise AdairError(
                "accelerate launch --cpu starts one process only, whatever --num_processes says; start several with "
                "accelerate launch --multi_gpu --num_processes N -m adair ... --device cpu"
            )
        return Processes()
    try:
        from accelerate import PartialState
    except ImportError:
        raise AdairError(
            "several processes need the package accelerate; install it with: pip install 'adair[train]'"
        ) from None
    state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
    return Processes(state.process_index, state.num_processes)


_open: list[list[float]] = []  # the notes of all nested blocks


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Stop what runs inside after this time as a signal would, but without an error; None: never."""
    if seconds is None:
        yield
        return
    over = threading.Event()
    with stop_signals():  # notes the end even before anything inside has begun
        timer = threading.Timer(seconds, _end, (over, len(_open) - 1))
        timer.daemon = True
        timer.start()
        try:
            yield
        except KeyboardInterrupt:
            if not over.is_set():
                raise
        finally:
            timer.cancel()


def _end(over: threading.Event, depth: int) -> None:
    """Note in the blocks that are nested at least this deep that time is over."""
    over.set()
    for notes in _open[depth:]:
        notes.append(time.monotonic())


@contextmanager
def stop_signals() -> Iterator[list[float]]:
    """Turn Ctrl-C and SIGTERM into a note (the list is no longer empty), so that the current step is finished first.

    Nested blocks all note it: a signal that ends a run also ends what the run is a part of, and one that arrives while
    the run is being prepared ends it as well.

    Raises:
        KeyboardInterrupt: on another Ctrl-C later than a second after the first signal.
    """
    received = list(_open[-1]) if _open else []

    def note(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGINT and received and now - received[0] > SAME_SIGNAL:
            raise KeyboardInterrupt
        for notes in _open:
            notes.append(now)

    try:
        kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        _open.append(received)
    except ValueError:  # only the main thread can handle signals
        kept = {}
    try:
        yield received
    finally:
        _open[:] = [notes for notes in _open if notes is not received]
        for number, handler in kept.items():
            signal.signal(number, handler)
