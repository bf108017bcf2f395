"""AdaIR inside other programs: against the real package where it is there, else against its documented interface."""

from __future__ import annotations

import abc
import importlib.util
import io
import json
import sys
import types
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from adair.restore import Restorer

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "integrations"
T = TypeVar("T")


def load(name: str) -> ModuleType:
    path = FOLDER / name / "__init__.py" if (FOLDER / name).is_dir() else FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where annotations are looked up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer.load(device="cpu", precision="fp32")


@pytest.fixture
def photo() -> np.ndarray:
    return np.asarray(Image.open(FOLDER.parent / "photos" / "kitten.webp").convert("RGB"))[100:148, 200:264]


def documented(name: str, **parts: Any) -> ModuleType:
    """Stands for a package that is not installed."""
    module = types.ModuleType(name)
    module.__dict__.update(parts)
    return module


def test_comfyui(photo: np.ndarray) -> None:
    module = load("comfyui_adair")
    node = module.NODE_CLASS_MAPPINGS["AdairRestore"]
    assert set(module.NODE_DISPLAY_NAME_MAPPINGS) == set(module.NODE_CLASS_MAPPINGS)
    tasks, settings = node.INPUT_TYPES()["required"]["task"]
    assert settings["default"] in tasks and {"denoise", "sr"} <= set(tasks)
    batch = torch.from_numpy(photo / np.float32(255)).expand(2, -1, -1, -1)
    (result,) = getattr(node(), node.FUNCTION)(batch, "denoise", 1.0, 2)
    assert result.shape == batch.shape and result.dtype == torch.float32
    assert result.min() >= 0 and result.max() <= 1
    (large,) = getattr(node(), node.FUNCTION)(batch[:1], "sr", 1.0, 3)
    assert large.shape == (1, 144, 192, 3)


def test_spandrel(restorer: Restorer, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    class Architecture(abc.ABC, Generic[T]):
        def __init__(self, *, id: str, detect: Any) -> None:
            self.id, self.detect = id, detect

        @abc.abstractmethod
        def load(self, state_dict: Any) -> Any: ...

    class ImageModelDescriptor(Generic[T]):
        def __init__(
            self,
            model: Any,
            state_dict: Any,
            architecture: Any,
            purpose: str,
            tags: list[str],
            supports_half: bool,
            supports_bfloat16: bool,
            scale: int,
            input_channels: int,
            output_channels: int,
            size_requirements: Any = None,
            tiling: Any = None,
            call_fn: Any = None,
        ) -> None:
            assert purpose != "Restoration" or scale == 1
            self.__dict__.update({name: value for name, value in locals().items() if name != "self"})

        def __call__(self, image: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                return self.call_fn(self.model, image)  # type: ignore[attr-defined,no-any-return]

    try:
        import spandrel  # noqa: F401
    except ImportError:
        stand_in = documented(
            "spandrel", Architecture=Architecture, ImageModelDescriptor=ImageModelDescriptor, StateDict=dict
        )
        monkeypatch.setitem(sys.modules, "spandrel", stand_in)
    module = load("spandrel_adair")
    x = torch.from_numpy(photo / np.float32(255)).permute(2, 0, 1)[None]
    model = module.descriptor("denoise", restorer=restorer)
    torch.testing.assert_close(model(x), restorer.restore(x, "denoise"), atol=1e-5, rtol=0)
    assert model.scale == 1 and model.purpose == "Restoration" and not model.supports_half
    assert module.descriptor("sr", 2, restorer=restorer)(x).shape == (1, 3, 96, 128)
    tensors = restorer.foundation.model.state_dict()
    assert module.AdairArchitecture().detect(tensors)
    loaded = module.AdairArchitecture().load(tensors)
    torch.testing.assert_close(loaded(x), restorer.restore(x, "foundation"), atol=1e-5, rtol=0)


def test_skimage_style(photo: np.ndarray) -> None:
    module = load("skimage_style")
    expected = module._restorer().restore(photo, "denoise")
    assert np.array_equal(module.restore_adair(photo, "denoise", channel_axis=-1), expected)
    first = module.restore_adair(photo.transpose(2, 0, 1), "denoise", channel_axis=0)
    assert np.array_equal(first, expected.transpose(2, 0, 1))
    gray = photo[..., 1] / 255
    assert module.restore_adair(gray, "denoise").shape == gray.shape


def test_deepinv(restorer: Restorer, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    class Denoiser(torch.nn.Module):
        def __init__(self, device: str = "cpu") -> None:
            super().__init__()
            self.to(device)

    try:
        import deepinv.models.base  # noqa: F401
    except ImportError:
        for name in ("deepinv", "deepinv.models"):
            monkeypatch.setitem(sys.modules, name, documented(name))
        monkeypatch.setitem(sys.modules, "deepinv.models.base", documented("deepinv.models.base", Denoiser=Denoiser))
    denoiser = load("deepinv_denoiser").AdairDenoiser(restorer=restorer)
    clean = torch.from_numpy(photo / np.float32(255)).permute(2, 0, 1).expand(2, -1, -1, -1)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    result = denoiser(noisy, 0.1)
    assert (result - clean).square().mean() < 0.4 * (noisy.clamp(0, 1) - clean).square().mean()
    weak = denoiser(noisy, torch.tensor([0.0, 0.1]))
    assert torch.equal(weak[1], result[1]) and not torch.equal(weak[0], result[0])


def test_fastapi(photo: np.ndarray) -> None:
    fastapi = pytest.importorskip("fastapi")
    module = load("fastapi_app")
    assert "/restore/{task}" in module.app.openapi()["paths"]
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "PNG")
    response = module.restore("denoise", data.getvalue())
    assert response.media_type == "image/png"
    assert Image.open(io.BytesIO(response.body)).size == (64, 48)
    with pytest.raises(fastapi.HTTPException, match="did you mean 'denoise'"):
        module.restore("denoize", data.getvalue())
    with pytest.raises(fastapi.HTTPException):
        module.restore("denoise", b"no image")


def test_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    namespace: dict[str, Any] = {}
    for cell in json.loads((FOLDER / "restore.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), namespace)
    assert namespace["row"].size == (384, 96)
