"""Networks as jobs: trained whole, from scratch or from another; an adapter on a foundation; or read from a file."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import safetensors.torch
import torch
from torch import Tensor, nn

from adair.adapters import AdaptedModel, create_adapter
from adair.adapters.kinds import complete_options
from adair.backbones.registry import BACKBONES
from adair.errors import AdairError
from adair.images.files import write_whole
from adair.studies.budget import Shape
from adair.studies.training import Course, fit, step_seconds
from adair.studies.workspace import Job, Result, Workspace, describe
from adair.train.trainer import channels_last
from adair.weights import Foundation, load_foundation

Part = Literal["all", "low-rank", "vectors"]
STORED = torch.float16  # as in weight files: tests see what a file would contain


@dataclasses.dataclass
class Model:
    """A network for training and testing.

    Attributes:
        module: maps degraded patches (N, 3, H, W) to restored ones.
        trained: the parameters that training changes and a file stores, by name.
    """

    module: nn.Module
    trained: dict[str, nn.Parameter]


@dataclasses.dataclass(frozen=True)
class Network(Job):
    """A job whose result is a network that restores. Figures: "parameters" (trained), "bytes" of a file that holds them
    and "steps" of training. Costs: "seconds" of training.
    """

    @property
    def shape(self) -> Shape:
        """The backbone, which predicts the speed of training."""
        raise NotImplementedError

    @property
    def base(self) -> Network | None:
        """The network that it starts from or builds on."""
        return None

    def load(self, workspace: Workspace) -> Model:
        """Return the network on the workspace's device; it shares no weights with what was loaded before."""
        raise NotImplementedError

    def restorer(self, workspace: Workspace, task: str) -> nn.Module:
        """Return the network for ``task``, with weights rounded as in a file."""
        return self.load(workspace).module.eval()


@dataclasses.dataclass(frozen=True)
class Given(Network):
    """The foundation whose file the workspace was given (`Place.foundation`); nothing is trained.

    Attributes:
        form: its shape.
        fingerprint: of its weights.
    """

    form: Shape
    fingerprint: str

    @property
    def title(self) -> str:
        return f"foundation {self.fingerprint[:12]}"

    @property
    def shape(self) -> Shape:
        return self.form

    def load(self, workspace: Workspace) -> Model:
        """See `Network.load`.

        Raises:
            AdairError: the workspace has the file of another foundation.
        """
        return Model(channels_last(self._opened(workspace).model.to(workspace.device)), {})

    def _opened(self, workspace: Workspace) -> Foundation:
        found = load_foundation(workspace.place.foundation)
        if found.fingerprint != self.fingerprint:
            name = workspace.place.foundation or "the bundled foundation"
            raise AdairError(f"{name}: is {found.fingerprint[:12]}, the study began on {self.fingerprint[:12]}")
        return found

    def work(self, workspace: Workspace) -> Result:
        found = self._opened(workspace)
        weights, training = found.model.state_dict(), found.card.get("training", {})
        figures = {
            "parameters": sum(tensor.numel() for tensor in weights.values()),
            "bytes": stored_bytes(weights),
            "steps": training.get("steps", 0),
        }
        return Result(figures, {"seconds": float(training.get("seconds", 0.0)), "worked": 0.0})

    def context(self, workspace: Workspace) -> Any:
        return None  # its fingerprint decides all

    def workload(self) -> tuple[str, float]:
        return "read", 1

    def trial(self, workspace: Workspace) -> float:
        return 0.1


@dataclasses.dataclass(frozen=True)
class Trained(Network):
    """A job that trains a network. Subclasses define how it is built, and which parameters are trained.

    Attributes:
        course: what it learns.
        choice: the job that chooses the learning rate (`RateChoice`); None: the one of the course.
    """

    course: Course
    choice: Job | None = dataclasses.field(default=None, kw_only=True)

    def build(self, workspace: Workspace) -> Model:
        """Return the network before training, on the workspace's device."""
        raise NotImplementedError

    def load(self, workspace: Workspace) -> Model:
        model = self.build(workspace)
        fill(model, self.tensors(workspace))
        return model

    def tensors(self, workspace: Workspace) -> dict[str, Tensor]:
        """Return the trained parameters, in float32."""
        return safetensors.torch.load_file(workspace.folder(self) / "weights.safetensors")

    def work(self, workspace: Workspace) -> Result:
        """Train. Figures: number of trained parameters, bytes of their file, last loss."""
        torch.manual_seed(self.course.seed)
        model = self.build(workspace)
        report = self.train(workspace, model)
        tensors = {name: value.detach().cpu().contiguous() for name, value in model.trained.items()}
        write_whole(workspace.folder(self) / "weights.safetensors", safetensors.torch.save(tensors))
        (workspace.folder(self) / "checkpoint.safetensors").unlink(missing_ok=True)
        figures = {
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
            "bytes": stored_bytes(tensors),
            "steps": report.step,
        }
        return Result(figures, {"seconds": report.seconds, "worked": report.seconds})  # over all calls

    def train(self, workspace: Workspace, model: Model) -> Any:
        """Train ``model`` in place, and return the final state."""
        facts = {"cell": json.dumps(describe(self))}
        course = self.course
        if self.choice is not None:
            course = dataclasses.replace(course, rate=workspace.result(self.choice).figures["rate"])
        return fit(workspace, workspace.folder(self), model.module, model.trained, course, facts)

    def context(self, workspace: Workspace) -> Any:
        return self.course.context(workspace)

    def workload(self) -> tuple[str, float]:
        return f"train {self.shape} {self.course.batch}x{self.course.patch}", self.course.steps

    def trial(self, workspace: Workspace) -> float:
        return step_seconds(workspace, bare(self.shape, workspace), self.course.batch, self.course.patch)


@dataclasses.dataclass(frozen=True)
class Whole(Trained):
    """All weights of a backbone are trained.

    Attributes:
        form: shape of the backbone.
        start: the network that it starts from; None: from scratch.
    """

    form: Shape
    start: Network | None = None

    @property
    def title(self) -> str:
        how = "from scratch" if self.start is None else "fine-tuned"
        return f"{backbone_text(self.form)} {how}: {taught(self.course)}"

    @property
    def shape(self) -> Shape:
        return self.form

    @property
    def base(self) -> Network | None:
        return self.start

    def build(self, workspace: Workspace) -> Model:
        torch.manual_seed(self.course.seed)
        model = bare(self.form, workspace)
        if self.start is not None:
            model.load_state_dict(self.start.load(workspace).module.state_dict())
        return Model(model, dict(model.named_parameters()))


@dataclasses.dataclass(frozen=True)
class Adapted(Trained):
    """An adapter is trained on a frozen foundation.

    Attributes:
        foundation: the frozen foundation.
        kind: as for `create_adapter`.
        options: settings of the adapter, as (name, value).
        part: what is trained of an adapter of kind merge: "all"; only the "low-rank" changes (LoRA alone); only the
            "vectors" (norms, biases and scales alone). The rest stays zero and is not stored.
    """

    foundation: Network
    kind: str = "merge"
    options: tuple[tuple[str, Any], ...] = (("rank", 8),)
    part: Part = "all"

    @property
    def title(self) -> str:
        options = " ".join(f"{name} {value}" for name, value in self.options)
        part = "" if self.part == "all" else f", {self.part} only"
        return f"adapter {self.kind} {options}{part}: {taught(self.course)}"

    @property
    def shape(self) -> Shape:
        return self.foundation.shape

    @property
    def base(self) -> Network | None:
        return self.foundation

    def build(self, workspace: Workspace) -> Model:
        foundation = self.foundation.load(workspace).module
        generator = torch.Generator().manual_seed(self.course.seed)
        adapter = create_adapter(self.kind, foundation, generator, **dict(self.options)).to(workspace.device)
        model = AdaptedModel(foundation)
        model.attach(adapter)
        trained = {name: value for name, value in adapter.named_parameters() if _belongs(name, value, self.part)}
        for name, value in adapter.named_parameters():
            value.requires_grad_(name in trained)
        return Model(model, trained)

    def context(self, workspace: Workspace) -> Any:
        return [*super().context(workspace), complete_options(self.kind, dict(self.options))]

    def restorer(self, workspace: Workspace, task: str) -> nn.Module:
        model = self.load(workspace).module.eval()
        assert isinstance(model, AdaptedModel)
        model.merge()
        return model


def bare(shape: Shape, workspace: Workspace) -> nn.Module:
    """Build a backbone with new random weights on the workspace's device."""
    name = next(name for name, entry in BACKBONES.items() if isinstance(shape, entry.config))
    return channels_last(BACKBONES[name].network(**dataclasses.asdict(shape)).to(workspace.device))


@torch.no_grad()
def fill(model: Model, tensors: dict[str, Tensor], dtype: torch.dtype = STORED) -> None:
    """Load trained values into ``model``, rounded to ``dtype``."""
    for name, parameter in model.trained.items():
        parameter.copy_(tensors[name].to(dtype))


def stored_bytes(tensors: dict[str, Tensor], dtype: torch.dtype = STORED) -> int:
    """Return the size of a safetensors file with ``tensors`` in ``dtype``, without a card."""
    return len(safetensors.torch.save({name: tensor.to(dtype) for name, tensor in tensors.items()}))


def taught(course: Course) -> str:
    """Return a short description of a course."""
    text = " + ".join(course.recipes)
    return f"{text if len(text) < 60 else text[:57] + '...'}, {course.extent}"


def backbone_text(shape: Shape) -> str:
    """Return the name and width of a backbone as text."""
    name = next(name for name, entry in BACKBONES.items() if isinstance(shape, entry.config))
    return f"{name} of width {shape.width}"


def _belongs(name: str, value: Tensor, part: Part) -> bool:
    thin = name.endswith((".up", ".down"))
    if part == "low-rank":
        return thin
    return part == "all" or (not thin and value.squeeze().ndim <= 1)
