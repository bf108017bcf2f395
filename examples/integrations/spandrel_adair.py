"""AdaIR's networks as spandrel describes models, for chaiNNer and other programs that load models with it."""

from __future__ import annotations

from typing import Any

import torch
from spandrel import Architecture, ImageModelDescriptor, StateDict
from torch import nn

from adair import Restorer
from adair.export import ExportOptions
from adair.export.network import build


class AdairArchitecture(Architecture[nn.Module]):
    """Loads the tensors of a foundation, merged or not; `descriptor` is the way to one with an adapter."""

    def __init__(self) -> None:
        super().__init__(id="AdaIR", detect=lambda state: "encoders.0.0.beta" in state and "intro.weight" in state)

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[nn.Module]:
        """Put tensors into the bundled network's shape."""
        (network,) = Restorer.load(device="cpu", precision="fp32").networks("foundation")
        network.load_state_dict(state_dict)
        return _described(network, self, 1, ["foundation"])


def descriptor(task: str, scale: int | None = None, restorer: Restorer | None = None) -> Any:
    """Return the network of a task, adapters merged, as an image model: any size, float32 or bfloat16.

    Args:
        task, scale: as for `Restorer.restore`.
        restorer: another than the bundled one.
    """
    options = ExportOptions(task, scale)
    network = build(restorer or Restorer.load(device="cpu", precision="fp32"), options)
    factor = 1 if task != "sr" else scale or 2
    return _described(network, AdairArchitecture(), factor, [task])


def _described(network: nn.Module, architecture: AdairArchitecture, scale: int, tags: list[str]) -> Any:
    def call(model: nn.Module, image: torch.Tensor) -> torch.Tensor:
        return model(image).clamp(0, 1)

    return ImageModelDescriptor(
        network,
        network.state_dict(),
        architecture=architecture,
        purpose="SR" if scale > 1 else "Restoration",
        tags=tags,
        supports_half=False,  # some photos overflow float16
        supports_bfloat16=True,
        scale=scale,
        input_channels=3,
        output_channels=3,
        call_fn=call,
    )
