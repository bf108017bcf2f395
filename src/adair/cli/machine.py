"""The options for device, precision and runtime, shared by all commands that run a network."""

from __future__ import annotations

from typing import Annotated

import typer

Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps. Default: the best available.")]
PrecisionName = Annotated[str | None, typer.Option(help="fp32, bf16 or fp16. Default: the fastest that is safe.")]
RuntimeName = Annotated[
    str, typer.Option(help="torch, onnxruntime, openvino, or auto: the fastest by 'adair doctor --measure'.")
]
