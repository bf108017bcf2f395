"""Options that say what computes: device, precision and runtime. Written once for all commands that run a network."""

from __future__ import annotations

from typing import Annotated

import typer

Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. Default: the best there is.")]
PrecisionName = Annotated[str | None, typer.Option(help="fp32, bf16 or fp16. Default: the fastest that is safe.")]
RuntimeName = Annotated[
    str, typer.Option(help="torch, onnxruntime, openvino, or auto: what 'adair doctor --measure' found.")
]
