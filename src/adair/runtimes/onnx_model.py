"""From a network to an ONNX model: our own graph for NAFNets, PyTorch's exporter for everything else."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from adair.backbones import fuse
from adair.backbones.nafnet import NAFNet
from adair.errors import AdairError
from adair.runtimes.enlarge import Clamp, Enlarge

if TYPE_CHECKING:
    import onnx

Size = tuple[int, int] | None
"""Height and width of the input, or None for any."""

INSTALL = "pip install 'adair[onnx]'"


def fused(network: nn.Module) -> nn.Module:
    """Fold layers into the convolutions of ``network`` (in place), unless adapters act at its sites."""
    fuse(network)
    return network.eval().requires_grad_(False)


def to_onnx(
    network: nn.Module,
    size: Size = None,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Return ``network`` as an ONNX model with one input ``input`` and one output ``output``.

    Both are float32 RGB in 0..1, (1, 3, height, width); the output is not clamped.

    Args:
        network: a backbone as `fused` returns it, or a sequence of those, `Enlarge` and `Clamp`.
        size: height and width of the input; None for a graph that takes any, from 1x1 up.
        half: store weights as float16.
        metadata: strings by name, for the file's own table.

    Raises:
        AdairError: the package onnx is missing, or PyTorch cannot export the network.

    NAFNets become a graph of our own: 400 nodes in a second, where PyTorch's exporter takes the better part of a minute
    (docs/decisions/0014). Any other backbone, and adapters that act at sites, go through the exporter.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise AdairError(f"ONNX needs the packages onnx and onnxruntime: {INSTALL}") from error
    from adair.runtimes.onnx_nafnet import is_supported

    steps = list(network) if isinstance(network, nn.Sequential) else [network]
    known = all(isinstance(step, (Enlarge, Clamp)) or is_supported(step) for step in steps)
    model = _ours(steps, size, half, metadata or {}) if known else _exported(network, size, half, metadata or {})
    return model


def scale_of(network: nn.Module) -> int:
    """How many times larger the output is than the input."""
    return next((step.scale for step in network.modules() if isinstance(step, Enlarge)), 1)


def _ours(steps: list[nn.Module], size: Size, half: bool, metadata: Mapping[str, str]) -> onnx.ModelProto:
    from adair.runtimes.onnx_graph import OnnxGraph
    from adair.runtimes.onnx_nafnet import add_nafnet

    graph, y, scale = OnnxGraph(half), "input", 1
    for step in steps:
        if isinstance(step, Enlarge):
            scale *= step.scale
            y = graph.add("Pad", y, graph.numbers(0, 0, 2, 2, 0, 0, 2, 2), mode="edge")
            y = graph.add("Conv", y, graph.weight(step.weight.numpy()), kernel_shape=[5, 5], group=3)
            y = graph.add("DepthToSpace", y, blocksize=step.scale, mode="CRD")
        if isinstance(step, NAFNet):
            y = add_nafnet(graph, step, y)
        else:
            y = graph.add("Clip", y, graph.scalar(0.0), graph.scalar(1.0))
    height, width = size or ("height", "width")
    return graph.model(y, height, width, scale, metadata)


def _exported(network: nn.Module, size: Size, half: bool, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Run PyTorch's exporter without its output."""
    from onnx import helper

    from adair.runtimes.onnx_graph import halve

    height, width = size or (64, 96)
    dynamic = None if size else ({2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (torch.rand(1, 3, height, width),),
                dynamo=True,
                external_data=False,
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=dynamic,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).strip().splitlines()[0]
        raise AdairError(f"this network cannot be exported to ONNX: {reason}") from error
    finally:
        quiet.setLevel(level)
    assert program is not None
    model = program.model_proto
    if half:
        halve(model)
    helper.set_model_props(model, dict(metadata))
    return model
