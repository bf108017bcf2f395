"""Adapters: the few parameters that turn the frozen foundation into a specialist for one task."""

from adair.adapters.adapted import AdaptedModel
from adair.adapters.adapter import Adapter
from adair.adapters.files import LoadedAdapter, load_adapter, save_adapter
from adair.adapters.kinds import BUDGET, KINDS, create_adapter, file_bytes, options_within
from adair.adapters.merging import merge_files
from adair.tasks import STRONGEST, check_strength

__all__ = [
    "BUDGET",
    "KINDS",
    "STRONGEST",
    "AdaptedModel",
    "Adapter",
    "LoadedAdapter",
    "check_strength",
    "create_adapter",
    "file_bytes",
    "load_adapter",
    "merge_files",
    "options_within",
    "save_adapter",
]
