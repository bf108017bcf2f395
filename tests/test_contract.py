"""The contract of the registries: a backbone and a kind of adapter added from outside work in the whole program."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import adair
from adair.adapters import KINDS, Adapter, create_adapter, load_adapter, merge_files, options_within, save_adapter
from adair.adapters.adapter import Combined, Delta, Fits, plant
from adair.adapters.merge import FullDelta
from adair.backbones import BACKBONES, Backbone
from adair.errors import AdairError
from adair.restore import Restorer
from adair.restore.deploy import bytes_per_pixel
from adair.train.config import TrainConfig
from adair.weights import load_foundation


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    """Its width has a name of its own, so that nobody can assume one."""

    features: int = 4


class Toy(nn.Module):
    """Two convolutions and a residual."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.second = nn.Conv2d(features, 3, 3, padding=1)
        self.fused = False

    def forward(self, x: Tensor) -> Tensor:
        """Restore ``x`` (N, 3, H, W)."""
        correction: Tensor = self.second(torch.relu(self.first(x.to(self.first.weight.dtype))))
        return x + correction.to(x.dtype)


def parse_shape(width: int | None, blocks: str | None) -> dict[str, Any]:
    return {} if width is None else {"features": width}


def fuse(network: Toy) -> None:
    network.fused = True


def grow(weights: Mapping[str, Tensor], network: Toy, generator: torch.Generator) -> dict[str, Tensor]:
    """The new channels are zero."""
    larger = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    for name, value in weights.items():
        larger[name][tuple(slice(side) for side in value.shape)] = value
    return larger


class BiasAdapter(Adapter):
    """A change of the biases of layers of at most ``most`` channels."""

    kind: ClassVar[str] = "bias"

    def __init__(self, model: nn.Module, most: int = 64) -> None:
        super().__init__({"most": most})
        self._deltas: dict[str, FullDelta] = {}
        for name, parameter in model.named_parameters():
            if name.endswith("bias") and parameter.numel() <= most:
                self._deltas[name] = FullDelta(tuple(parameter.shape))
                plant(self, name, self._deltas[name])

    @classmethod
    def fit(cls, model: nn.Module, fits: Fits) -> dict[str, Any]:
        return {"most": 64 if fits({"most": 64}) else 3}

    @classmethod
    def combine(
        cls, parts: Sequence[tuple[Self, float]], model: nn.Module, fits: Fits, **limits: Any
    ) -> Combined | None:
        result = cls(model, **parts[0][0].options)
        with torch.no_grad():
            for name, delta in result._deltas.items():
                delta.full.copy_(sum(strength * part._deltas[name].full for part, strength in parts))
        return Combined(result, 0.0, {"layers": len(result._deltas)})

    def initialise(self, generator: torch.Generator) -> None:
        for delta in self._deltas.values():
            nn.init.zeros_(delta.full)

    def deltas(self) -> dict[str, Delta]:
        return dict(self._deltas)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Backbone(ToyConfig, Toy, lambda config: 5 * config.features, parse_shape, fuse=fuse, grow=grow)
    monkeypatch.setitem(BACKBONES, "toy", entry)
    monkeypatch.setitem(KINDS, "bias", BiasAdapter)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(4):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((112, 96), Image.Resampling.BICUBIC).save(folder / f"{seed}.png")
    return folder


def config(photos: Path, output: Path, recipe: str, **network: Any) -> TrainConfig:
    return TrainConfig(
        output=output,
        data={"photos": photos, "recipe": recipe},  # type: ignore[arg-type]
        network=network,  # type: ignore[arg-type]
        schedule={"steps": 2},  # type: ignore[arg-type]
        optimiser={"batch": 2, "patch": "16"},  # type: ignore[arg-type]
        device="cpu",
        precision="fp32",
    )


@pytest.fixture
def foundation(photos: Path, tmp_path: Path) -> Path:
    adair.pretrain(config(photos, tmp_path / "run", "noise(sigma=25)", backbone="toy", width=6))
    return tmp_path / "run" / "foundation.safetensors"


@pytest.fixture
def adapters(photos: Path, tmp_path: Path, foundation: Path) -> dict[str, Path]:
    """Trained for two steps, and then moved farther, so that their effect is seen in 8 bits."""
    paths = {}
    for shift, (task, recipe) in enumerate({"scanner": "noise(sigma=15)", "fax": "jpeg(quality=20)"}.items(), 1):
        paths[task] = tmp_path / f"{task}.safetensors"
        wanted = config(photos, paths[task], recipe, foundation=foundation, kind="bias")
        adair.adapt(wanted.override({"task": task}))
        trained = load_adapter(paths[task], load_foundation(foundation))
        assert any(bool(value.any()) for value in trained.adapter.parameters())
        with torch.no_grad():
            for value in trained.adapter.parameters():
                value.add_(0.125 * shift)
        mark = load_foundation(foundation).fingerprint
        save_adapter(paths[task], trained.adapter, foundation_fingerprint=mark, task=task, card=trained.card)
    return paths


@pytest.fixture
def restorer(foundation: Path, adapters: dict[str, Path]) -> Restorer:
    made = Restorer.load(foundation, device="cpu", precision="fp32")
    for path in adapters.values():
        made.add_adapter(path)
    return made


@pytest.fixture
def photo(photos: Path) -> np.ndarray:
    with Image.open(photos / "0.png") as image:
        return np.asarray(image)


def differ(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second).max())


def test_training_saving_blending_and_merging(
    restorer: Restorer, foundation: Path, adapters: dict[str, Path], photo: np.ndarray, tmp_path: Path
) -> None:
    loaded = load_foundation(foundation)
    assert (loaded.backbone, loaded.config) == ("toy", {"features": 6})
    assert bytes_per_pixel("toy", loaded.config, torch.float32) == 5 * 6 * 4
    blend = {"scanner": 0.5, "fax": 0.25}
    expected = restorer.restore(photo, blend)
    assert expected.shape == photo.shape
    assert differ(expected, restorer.restore(photo, "foundation")) > 1

    merged = merge_files([adapters[task] for task in blend], list(blend.values()), loaded)
    assert merged.card["merged"]["layers"] == 2
    path = tmp_path / "both.safetensors"
    save_adapter(
        path, merged.combined.adapter, foundation_fingerprint=loaded.fingerprint, task="both", card=merged.card
    )
    restorer.add_adapter(path)
    assert restorer.adapters["both"].kind == "bias"
    assert differ(restorer.restore(photo, "both"), expected) <= 1

    restorer.merge_adapter(blend)
    assert differ(restorer.restore(photo, "foundation"), expected) <= 1


def test_its_network_is_fused_for_inference(restorer: Restorer) -> None:
    from adair.runtimes.torch_eager import TorchRuntime

    (network,) = restorer.networks("scanner")
    assert isinstance(network, Toy) and not network.fused
    TorchRuntime("cpu", "fp32").load(network)
    assert network.fused


def test_it_grows(foundation: Path, photos: Path, tmp_path: Path) -> None:
    larger = config(photos, tmp_path / "larger", "noise(sigma=25)", start=foundation, backbone="toy", width=8)
    adair.pretrain(larger)
    assert load_foundation(tmp_path / "larger" / "foundation.safetensors").config == {"features": 8}


def test_it_is_exported(restorer: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from adair.export import ExportOptions, export
    from adair.runtimes.standalone import Model

    blend = {"scanner": 0.5, "fax": 0.25}
    written = export(restorer, ExportOptions(blend), "onnx", tmp_path / "net.onnx")
    assert differ(Model(written.files[0]).restore(photo), restorer.restore(photo, blend)) <= 1


def test_the_kind_chooses_its_options_and_is_named_in_errors(foundation: Path) -> None:
    model = load_foundation(foundation).model
    assert create_adapter("bias", model).options == {"most": 64}
    with pytest.raises(AdairError, match=r"bias adapter: the smallest for this network has .* bytes, over 10"):
        options_within("bias", model, 10)
    with pytest.raises(AdairError, match="bias adapter: unknown option 'rank'; known: most"):
        create_adapter("bias", model, rank=2)
