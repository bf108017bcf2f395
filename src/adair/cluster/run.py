"""A run on a cluster: start or join it, distribute the files among workers, write the summary."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adair.cluster.plan import ClusterPlan, Item
from adair.cluster.storage import Storage
from adair.cluster.worker import Worker, WorkerSpec
from adair.errors import AdairError, InputError

ADDRESS = "RAY_ADDRESS"
SUMMARY = "adair-summary.jsonl"
ITEMS_PER_BLOCK = 4  # files done again when a worker dies, at most; few, so that all workers end at about the same time
MOST_BLOCKS = 20_000

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class ClusterOutcome:
    """The outcome of one file; a line of the summary.

    Attributes:
        source, target: names in the two folders.
        status: "done", "skipped" (done by an earlier run) or "failed".
        error: the message of a failed file, one line.
        notes: what was lost or converted on the way.
        megapixels: size of the result.
        seconds: time on the worker, including reading and writing.
        host: the worker's machine.
    """

    source: str
    target: str
    status: Status
    error: str = ""
    notes: tuple[str, ...] = ()
    megapixels: float = 0.0
    seconds: float = 0.0
    host: str = ""


Report = Callable[[ClusterOutcome], None]


def run_plan(plan: ClusterPlan, spec: WorkerSpec, workers: int | None, report: Report) -> list[ClusterOutcome]:
    """Restore the files of a plan, and write the summary into the target.

    Args:
        plan: from `make_plan`.
        spec: settings for the workers.
        workers: number of workers; None for as many as the cluster has room for.
        report: called for every file as soon as its outcome is known.

    Returns:
        The outcomes of all files, in order of their names.

    Raises:
        AdairError: no Ray, no cluster, no room for a worker, or a summary that cannot be written.
    """
    target = Storage(spec.target)
    outcomes = [ClusterOutcome(item.source, item.target, "skipped") for item in plan.done]
    for item in plan.taken:
        text = f"{target.url_of(item.target)}: exists and is not a result of ours; use --overwrite or --skip-existing"
        outcomes.append(ClusterOutcome(item.source, item.target, "failed", text))
        report(outcomes[-1])
    try:
        if plan.todo:
            with _cluster():
                for outcome in _restored(plan.todo, spec, workers):
                    outcomes.append(outcome)
                    report(outcome)
    finally:
        outcomes.sort(key=lambda outcome: outcome.source)
        lines = "".join(json.dumps(asdict(outcome)) + "\n" for outcome in outcomes)
        target.write(SUMMARY, lines.encode())
    return outcomes


def _restored(items: Sequence[Item], spec: WorkerSpec, workers: int | None) -> Iterator[ClusterOutcome]:
    """Yield the outcome of each item, in the order in which they are finished."""
    import ray.data
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    gpus = 1 if spec.device == "cuda" else 0
    size = workers or _room(spec.threads, gpus)
    blocks = min(-(-len(items) // ITEMS_PER_BLOCK), MOST_BLOCKS)
    # Ray Data endlessly gives a block whose worker died to other workers; Attempts limits this. It lives on the machine
    # of this process, without which the run is over anyway.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    attempts = ray.remote(num_cpus=0, scheduling_strategy=here)(Attempts).remote()
    rows = ray.data.from_items([asdict(item) for item in items], override_num_blocks=blocks)
    results = rows.map(
        Worker,
        fn_constructor_args=(spec, RemoteAttempts(attempts)),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, max_tasks_in_flight_per_actor=2),
        num_cpus=spec.threads,
        num_gpus=gpus,
    )
    for row in results.iter_rows():
        yield ClusterOutcome(**{**row, "notes": tuple(row["notes"])})


class Attempts:
    """Counts the attempts at each file that have not ended, because some files kill their worker.

    A block is repeated whole. So files that end well may begin many times, next to one that kills.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def begin(self, name: str) -> int:
        """See `AttemptCounter`."""
        self._counts[name] += 1
        return self._counts[name]

    def end(self, name: str) -> None:
        """See `AttemptCounter`."""
        self._counts.pop(name, None)


@dataclass(frozen=True)
class RemoteAttempts:
    """A client of an `Attempts` actor in the cluster.

    Attributes:
        actor: its handle.
    """

    actor: Any

    def begin(self, name: str) -> int:
        """See `AttemptCounter`."""
        import ray

        count: int = ray.get(self.actor.begin.remote(name))
        return count

    def end(self, name: str) -> None:
        """See `AttemptCounter`."""
        import ray

        ray.get(self.actor.end.remote(name))


def _room(threads: int, gpus: int) -> int:
    """Return how many workers the cluster has room for."""
    import ray

    resources = ray.cluster_resources()
    room = int(resources.get("CPU", 0) // threads)
    room = min(room, int(resources.get("GPU", 0))) if gpus else room
    if room < 1:
        what = f"{threads} CPUs" + (" and a GPU" if gpus else "")
        raise InputError(
            f"the cluster has no room for a worker of {what}; use fewer --worker-cpus, or another --device"
        )
    return room


@contextmanager
def _cluster() -> Iterator[None]:
    """Join the cluster that the environment names, or one that this process is part of, or start a local one."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise AdairError(f"--cluster ray needs {error.name}; run: pip install 'adair[cluster]'") from error
    if ray.is_initialized():
        yield
        return
    address = os.environ.get(ADDRESS, "local")
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start sends no usage reports
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise AdairError(
            f"{ADDRESS}={address}: cannot join this cluster ({text}); start it, or unset {ADDRESS}"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
