"""What else a person could take for the same work, measured beside ours: classical methods and published networks."""

from adair.bench.peers.checkpoint import load_peer
from adair.bench.peers.registry import peers, unavailable

__all__ = ["load_peer", "peers", "unavailable"]
