"""How alike tasks are, measured from their adapters: whether they change the foundation in the same direction."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from adair.adapters import AdaptedModel
from adair.studies.job import Job, Result
from adair.studies.networks import Adapted
from adair.studies.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Similarity(Job):
    """Cosines between the changes that merge adapters of one foundation make to its weights.

    Adapters of the same seed begin with the same random ``down`` matrices, so their low-rank changes lie in the same
    subspace; those of different seeds would be almost orthogonal whatever they learnt.

    Figures: "cosines", a row for each adapter: 1 is the same direction, 0 nothing in common, -1 the opposite.

    Attributes:
        networks: the adapters.
    """

    networks: tuple[Adapted, ...]

    @property
    def title(self) -> str:
        return f"similarity of {len(self.networks)} adapters"

    def work(self, workspace: Workspace) -> Result:
        changes = torch.stack([change(network, workspace) for network in self.networks])
        directions = changes / changes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return Result(
            {"cosines": [[round(value, 6) for value in row] for row in (directions @ directions.T).tolist()]}, {}
        )

    def pace(self) -> tuple[str, float]:
        return "similarity", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


def change(network: Adapted, workspace: Workspace) -> Tensor:
    """All that an adapter adds to the weights of its foundation, as one vector."""
    model = network.load(workspace).module
    assert isinstance(model, AdaptedModel)
    (adapter,) = model.attached
    with torch.no_grad():
        deltas = [
            delta.added_to(torch.zeros(delta.shape, device=workspace.device), 1.0)
            for delta in adapter.deltas().values()
        ]
    return torch.cat([delta.flatten() for delta in deltas])
