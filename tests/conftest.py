"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from adair.adapters import create_adapter, save_adapter
from adair.backbones import build_backbone
from adair.weights import save_foundation

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published images and reference outputs, beside the checkout; without it the test is skipped."""
    folder = ROOT.parent / "shared"
    if not (folder / "data" / "test").is_dir():
        pytest.skip("needs the reference data in ../shared")
    return folder


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Give every test the process's own number of threads: on another, sums are rounded differently."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """A function that writes a tiny foundation and adapters for it into a new folder, as a user would have them."""

    def make(
        adapters: Mapping[str, str] = {"dejpeg": "merge", "denoise": "merge", "sr": "merge"},
        levels: int = 1,
        card: Mapping[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path_factory.mktemp("model")
        config = {"width": 8, "encoder": (1,) * levels, "middle": 1, "decoder": (1,) * levels}
        generator = torch.Generator().manual_seed(0)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = build_backbone("nafnet", config)
        with torch.no_grad():
            for name, value in model.named_parameters():
                if name.endswith(("beta", "gamma")):
                    value.add_(torch.rand(value.shape, generator=generator) * 0.4)
                elif name.startswith("ending"):
                    value.mul_(0.1)  # corrections of some hundredths, as trained networks make
        mark = save_foundation(folder / "foundation.safetensors", "nafnet", config, model.state_dict(), card)
        for task, kind in adapters.items():
            adapter = create_adapter(kind, model)
            with torch.no_grad():
                for value in adapter.parameters():
                    value.add_(torch.randn(value.shape, generator=generator) * 0.05)
            about = None if card is None else {"about": task}
            path = folder / f"{task}.safetensors"
            save_adapter(path, adapter, foundation_fingerprint=mark, task=task, card=about)
        return folder

    return make


@pytest.fixture(scope="session")
def model_files(make_model: MakeModel) -> Path:
    """Folder of a tiny network: foundation.safetensors, and dejpeg, denoise and sr as adapters for it."""
    return make_model()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``gpu`` where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))
