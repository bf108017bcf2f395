"""Published checkpoints as rows: any network that the library spandrel (MIT) recognises by its tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from warnings import catch_warnings, simplefilter

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from adair.bench.case import Case, Method
from adair.bench.suites import SUITES
from adair.degradations import resize
from adair.errors import AdairError
from adair.weights.header import short

_PICKLES = {".pth", ".pt", ".ckpt", ".bin"}
_CONVERT = (
    "import torch, safetensors.torch as s; d = torch.load('{path}', map_location='cpu', weights_only=True); "
    "s.save_file(d.get('params_ema', d.get('params', d)), '{whole}')"
)
_TORCHVISION = "torchvision.transforms.functional"


def load_baseline(path: Path) -> Method:
    """Return a published network, built from its weights alone, as a row.

    A network for super-resolution takes part in all settings that enlarge, at every scale; if its own scale differs,
    its result is resized (MATLAB's bicubic). Every other network takes part in all settings that keep the size; its
    file does not say which of them it was trained for, so choose the suites yourself. Networks run with spandrel's
    settings; DRUNet, which needs sigma, always receives 15. Images are not tiled, and networks for 8-bit images receive
    unclipped noise.

    Args:
        path: a safetensors file with the published names. Pickles are never opened; the error says how to convert one
            to safetensors.

    Raises:
        AdairError: spandrel is not installed, the file cannot be read, or spandrel recognises no network for RGB
            images in it.
    """
    path = Path(path)
    if path.suffix.lower() in _PICKLES:
        command = _CONVERT.format(path=path.as_posix(), whole=path.with_suffix(".safetensors").as_posix())
        raise AdairError(f'{path}: pickles are never opened; convert it once: python -c "{command}"')
    try:
        tensors = load_file(path)
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()[:12]
    except (OSError, SafetensorError) as error:
        raise AdairError(f"{path}: cannot be read as a safetensors file: {short(str(error))}") from error
    spandrel = _spandrel(path)
    try:
        network = spandrel.ModelLoader().load_from_state_dict(spandrel.canonicalize_state_dict(tensors)).eval()
    except Exception as error:  # spandrel's own, and whatever its many networks raise on tensors that do not fit
        raise AdairError(
            f"{path}: spandrel {spandrel.__version__} recognises no network with these tensors ({short(str(error))}); "
            "Restormer and some others need: pip install --no-deps spandrel_extra_arches"
        ) from error
    kind = f"{network.architecture.name} x{network.scale}" if network.scale > 1 else network.architecture.name
    channels = (network.input_channels, network.output_channels)
    if not isinstance(network, spandrel.ImageModelDescriptor) or channels != (3, 3):
        raise AdairError(f"{path}: {kind} does not map one RGB image to another; only such networks can be measured")

    def run(case: Case) -> Tensor:
        restored: Tensor = network(case.given)
        return restored if tuple(restored.shape[2:]) == case.size else resize(restored, case.size)

    enlarges = network.scale > 1
    settings = (setting for settings in SUITES.values() for setting in settings)
    suites = frozenset(setting.suite for setting in settings if (setting.source.scale is not None) == enlarges)
    note = f"{kind} from {path.name}, through spandrel {spandrel.__version__}"
    return Method(path.stem, suites, run, "baseline", note, f"sha256 {digest}", enlarges)


def _spandrel(path: Path) -> Any:
    if find_spec("spandrel") is None or find_spec("einops") is None:
        raise AdairError(f"{path}: to read such files, install spandrel: pip install --no-deps spandrel einops")
    with _torchvision_or_stand_in(), catch_warnings():
        simplefilter("ignore")  # warnings about their code do not help our users
        spandrel = import_module("spandrel")
        if find_spec("spandrel_extra_arches") is not None:
            import_module("spandrel_extra_arches").install(ignore_duplicates=True)
    return spandrel


@contextmanager
def _torchvision_or_stand_in() -> Iterator[None]:
    """Let spandrel be imported if torchvision is missing or does not fit the installed torch.

    spandrel imports torchvision, whose wheel on PyPI needs torch with CUDA, for three functions of two of its forty
    networks (inpainting, faces), neither of which can be a row. Empty stand-ins replace them during the import.
    """
    try:
        import_module(_TORCHVISION)
        stand_ins = {}
    except Exception:  # a wheel for another torch fails with RuntimeError or OSError
        stand_ins = {name: ModuleType(name) for name in ("torchvision", "torchvision.transforms", _TORCHVISION)}
        vars(stand_ins[_TORCHVISION]).update(normalize=None, rotate=None, InterpolationMode=None)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
