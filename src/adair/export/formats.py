"""The writers of export formats; each returns a function that runs the file that it wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from adair.errors import AdairError
from adair.export.compare import Run
from adair.export.options import ExportOptions
from adair.runtimes.onnx_model import INSTALL, to_onnx

CARD = "adair"  # the name of the card in every format


def onnx_model(network: nn.Module, options: ExportOptions, card: str) -> bytes:
    """The bytes of an ONNX file."""
    size = None if options.size is None else (options.size, options.size)
    data: bytes = to_onnx(network, size, options.half, {CARD: card}).SerializeToString()
    return data


def onnx_file(network: nn.Module, path: Path, options: ExportOptions, card: str) -> Run:
    """ONNX, opset 20, one file."""
    try:
        from adair.runtimes.standalone import Model
    except ImportError as error:
        raise AdairError(f"--to onnx needs the packages onnx and onnxruntime: {INSTALL}") from error
    path.write_bytes(onnx_model(network, options, card))
    return Model(path)


def openvino_file(network: nn.Module, path: Path, options: ExportOptions, card: str) -> Run:
    """OpenVINO's own format: the graph in ``.xml``, and the weights in a ``.bin`` next to it."""
    try:
        import openvino
    except ImportError as error:
        raise AdairError("--to openvino needs the package openvino: pip install 'adair[openvino]'") from error
    size = None if options.size is None else (options.size, options.size)
    model = openvino.Core().read_model(to_onnx(network, size).SerializeToString())
    model.set_rt_info(card, [CARD])
    openvino.save_model(model, path, compress_to_fp16=options.half)
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(tiles: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        return np.asarray(compiled(tiles)[0])

    return run


def torch_file(network: nn.Module, path: Path, options: ExportOptions, card: str) -> Run:
    """A PyTorch program for `torch.export.load`, which needs no AdaIR code; weights in float32."""
    if options.half:
        raise AdairError("--half: PyTorch programs are written in float32; leave it out, or use --to onnx")
    height, width = (options.size, options.size) if options.size else (64, 96)
    dynamic = None if options.size else ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of PyTorch about itself
        program = torch.export.export(network, (torch.rand(1, 3, height, width),), dynamic_shapes=dynamic)
        torch.export.save(program, path, extra_files={CARD: card})
        loaded = torch.export.load(path).module()

    def run(tiles: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        with torch.no_grad():
            return np.asarray(loaded(torch.from_numpy(tiles)))

    return run
