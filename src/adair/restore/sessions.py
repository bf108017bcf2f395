"""Sessions for blends of adapters; the most recent ones are cached."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

from torch import nn

from adair.adapters import AdaptedModel, Adapter
from adair.backbones import set_local_statistics
from adair.restore.deploy import REACH
from adair.runtimes import Runtime, Session
from adair.weights import Foundation

log = logging.getLogger(__name__)

KEPT_BYTES = 2**28  # bytes of weights: fourteen blends of the bundled network in bfloat16, seven in float32

Key = tuple[tuple[Adapter, float], ...]


class SessionCache:
    """Sessions for blends on one foundation; the least recently used one is dropped first.

    Any number of threads may use it: a cached blend is returned at once; a missing one is merged by one thread while
    the others that need it wait. Sessions never change, so those in use remain valid after they are dropped here.

    Args:
        foundation: the foundation, in float32; it is not modified.
        runtime: what runs the networks.
        limit: bytes of weights to keep; the newest session is always kept.
    """

    def __init__(self, foundation: Foundation, runtime: Runtime, limit: int = KEPT_BYTES) -> None:
        self.foundation, self.runtime, self.limit = foundation, runtime, limit
        self._sessions: OrderedDict[Key, Session] = OrderedDict()
        self._lock = threading.Lock()  # for the table, held briefly
        self._merging = threading.Lock()  # held while a network is made

    def session(self, blend: Mapping[Adapter, float]) -> Session:
        """Return the session for adapters with their strengths (none: the foundation alone).

        Weights are summed in float32, in the order of ``blend``, and only the sum is rounded to the precision.
        """
        key = tuple((adapter, strength) for adapter, strength in blend.items() if strength != 0)
        session = self._find(key)
        if session is None:
            with self._merging:
                session = self._find(key)  # another thread may have made it meanwhile
                if session is None:
                    start = time.perf_counter()
                    session = self.runtime.load(merged(network_for(dict(key), self.foundation), dict(key)))
                    log.info("made a network of %d adapters in %.3f s", len(key), time.perf_counter() - start)
                    self._keep(key, session)
        return session

    def forget(self, adapter: Adapter) -> None:
        """Drop all sessions with ``adapter``."""
        with self._lock:
            for key in [key for key in self._sessions if any(part is adapter for part, _ in key)]:
                del self._sessions[key]

    def _find(self, key: Key) -> Session | None:
        with self._lock:
            if key in self._sessions:
                self._sessions.move_to_end(key)
            return self._sessions.get(key)

    def _keep(self, key: Key, session: Session) -> None:
        with self._lock:
            self._sessions[key] = session
            while len(self._sessions) > 1 and sum(one.nbytes for one in self._sessions.values()) > self.limit:
                self._sessions.popitem(last=False)


def merged(model: nn.Module, blend: Mapping[Adapter, float]) -> nn.Module:
    """Return a copy of ``model`` with adapters merged in, whose channel attention uses local statistics.

    Adapters that cannot be merged act at the copy's sites, which costs time.
    """
    adapted = AdaptedModel(copy.deepcopy(model))
    adapted.attach(blend)
    adapted.merge()
    set_local_statistics(adapted.model, REACH)
    return adapted.model.eval()


def network_for(blend: Mapping[Adapter, float], foundation: Foundation) -> nn.Module:
    """Return the foundation's network at the resolution of the adapters of a blend."""
    return foundation.unshuffled(unshuffle_of(blend, foundation)).model


def unshuffle_of(blend: Mapping[Adapter, float], foundation: Foundation) -> int:
    """Return the one ``unshuffle`` of the adapters of a blend; without any that acts, that of the foundation."""
    return next((adapter.unshuffle for adapter, strength in blend.items() if strength != 0), foundation.unshuffle)
