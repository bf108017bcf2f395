"""Weight files: safetensors with checked headers, the foundation, and the bundled files."""

from adair.weights.files import (
    Header,
    TensorInfo,
    check_tensors,
    fingerprint,
    read_header,
    read_tensors,
    update_card,
    write_safetensors,
)
from adair.weights.foundation import (
    Foundation,
    bundled_adapters,
    bundled_estimator,
    bundled_foundation,
    load_foundation,
    save_foundation,
)

__all__ = [
    "Foundation",
    "Header",
    "TensorInfo",
    "bundled_adapters",
    "bundled_estimator",
    "bundled_foundation",
    "check_tensors",
    "fingerprint",
    "load_foundation",
    "read_header",
    "read_tensors",
    "save_foundation",
    "update_card",
    "write_safetensors",
]
