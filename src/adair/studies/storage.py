"""Adapters stored in other number formats: how many bytes each takes, and what the network then restores."""

from __future__ import annotations

import dataclasses

import safetensors.torch
import torch
from torch import Tensor, nn

from adair.adapters import AdaptedModel
from adair.studies.budget import Shape
from adair.studies.job import Result
from adair.studies.networks import Adapted, Network, fill
from adair.studies.workspace import Workspace

FORMS = ("fp32", "fp16", "bf16", "int8")
_PLAIN = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Stored(Network):
    """An adapter as it comes back from a file of another number format. Nothing is trained.

    Attributes:
        network: the adapter.
        form: one of `FORMS`.
    """

    network: Adapted
    form: str

    @classmethod
    def of(cls, network: Adapted, form: str) -> Stored:
        """The job of an adapter and a format."""
        return cls(network.course, network, form)

    @property
    def title(self) -> str:
        return f"{self.form} of {self.network.title}"

    @property
    def shape(self) -> Shape:
        return self.network.shape

    def work(self, workspace: Workspace) -> Result:
        """Count. Figures: bytes of the file."""
        data = packed(self.network.tensors(workspace), self.form)
        return Result({"bytes": len(safetensors.torch.save(data))}, {})

    def restorer(self, workspace: Workspace, task: str) -> nn.Module:
        model = self.network.build(workspace)
        fill(model, unpacked(packed(self.network.tensors(workspace), self.form)), torch.float32)
        assert isinstance(model.module, AdaptedModel)
        model.module.merge()
        return model.module.eval()

    def pace(self) -> tuple[str, float]:
        return "store", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def packed(tensors: dict[str, Tensor], form: str) -> dict[str, Tensor]:
    """Return ``tensors`` as a file of ``form`` holds them.

    int8 holds a matrix row by row: whole numbers from -127 to 127 and, in fp32, what 1 of them is worth. Vectors, which
    are few, stay in fp16.
    """
    if form != "int8":
        return {name: tensor.to("cpu", _PLAIN[form]).contiguous() for name, tensor in tensors.items()}
    found = {}
    for name, tensor in tensors.items():
        if tensor.squeeze().ndim < 2:
            found[name] = tensor.to("cpu", torch.float16).contiguous()
            continue
        rows = tensor.flatten(1)
        step = (rows.abs().amax(1) / 127).clamp_min(1e-12)
        found[name] = (rows / step[:, None]).round().clamp(-127, 127).to(torch.int8).view(tensor.shape)
        found[f"{name}.step"] = step
    return found


def unpacked(data: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what `packed` was given, as far as the format kept it, in float32."""
    found = {}
    for name, tensor in data.items():
        if tensor.dtype == torch.int8:
            found[name] = (tensor.flatten(1).float() * data[f"{name}.step"][:, None]).view(tensor.shape)
        elif name.removesuffix(".step") == name or name.removesuffix(".step") not in data:
            found[name] = tensor.float()
    return found
