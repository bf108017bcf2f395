"""Metrics for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters of one server, in a separate registry."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter("adair_requests", "Requests by HTTP status.", ["status"], registry=registry)
        self.inside = Gauge("adair_requests_inside", "Requests uploading, waiting or running.", registry=registry)
        self.seconds = Histogram(
            "adair_request_seconds", "Time from the first byte to the response.", buckets=SECONDS, registry=registry
        )
        self.network = Histogram(
            "adair_network_seconds", "Time of the network for one batch of tiles.", buckets=SECONDS, registry=registry
        )
        self.batch = Histogram("adair_batch_size", "Number of calls in a batch.", buckets=SIZES, registry=registry)
        self.pixels = Counter("adair_pixels", "Pixels of restored images.", registry=registry)

    def observe_batch(self, calls: int, seconds: float) -> None:
        """Record a run of the network for ``calls`` tiles or groups of tiles."""
        self.batch.observe(calls)
        self.network.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
