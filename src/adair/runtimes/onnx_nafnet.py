"""A NAFNet as an ONNX graph, of any size or of one; the same sums as `FusedBlock`, in the same order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from adair.backbones.fusing import FusedBlock
from adair.backbones.layers import Border
from adair.backbones.nafnet import NAFNet
from adair.backbones.pooling import ChannelPool
from adair.runtimes.onnx_graph import OnnxGraph

Conv = nn.Conv2d


def add_nafnet(graph: OnnxGraph, network: NAFNet, x: str) -> str:
    """Add a NAFNet of fused blocks to ``graph``; returns the name of the restored image, of the shape of ``x``."""
    size = _size(graph, x)
    y = add_conv(graph, network.intro, _padded(graph, x, size, network.border))
    skips = []
    for blocks, down in zip(network.encoders, network.downs, strict=True):
        y = _add_blocks(graph, blocks, y)
        skips.append(y)
        y = add_conv(graph, down, y)
    y = _add_blocks(graph, network.middle_blks, y)
    for up, blocks in zip(network.ups, network.decoders, strict=True):
        assert isinstance(up, nn.Sequential)
        y = graph.add("DepthToSpace", add_conv(graph, up[0], y), blocksize=2, mode="CRD")
        y = _add_blocks(graph, blocks, graph.add("Add", y, skips.pop()))
    y = add_conv(graph, network.ending, y)
    if network.unshuffle > 1:
        y = graph.add("DepthToSpace", y, blocksize=network.unshuffle, mode="CRD")
    y = _cropped(graph, y, size)
    return graph.add("Add", x, y)


def is_supported(network: nn.Module) -> bool:
    """Whether `add_nafnet` knows every part: a NAFNet with nothing but fused blocks."""
    if not isinstance(network, NAFNet):
        return False
    parts = [*network.encoders, network.middle_blks, *network.decoders]
    return all(isinstance(block, FusedBlock) for part in parts for block in part)


def add_conv(graph: OnnxGraph, conv: nn.Module, x: str) -> str:
    """Add a convolution; returns the name of its output."""
    assert isinstance(conv, Conv)
    inputs = [x, graph.weight(_array(conv.weight))]
    if conv.bias is not None:
        inputs.append(graph.weight(_array(conv.bias)))
    padding = [int(side) for side in conv.padding]
    return graph.add(
        "Conv",
        *inputs,
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=padding * 2,
        group=conv.groups,
    )


def _add_blocks(graph: OnnxGraph, blocks: nn.Module, y: str) -> str:
    assert isinstance(blocks, nn.Sequential)
    for block in blocks:
        assert isinstance(block, FusedBlock)
        y = _add_block(graph, block, y)
    return y


def _add_block(graph: OnnxGraph, block: FusedBlock, x: str) -> str:
    y = _normalised(graph, x, block.conv1.in_channels, block.eps)
    y = _gated(graph, add_conv(graph, block.conv2, add_conv(graph, block.conv1, y)))
    pool, attend = block.sca
    assert isinstance(pool, ChannelPool)
    y = graph.add("Mul", y, _attention(graph, pool, attend, y))
    y = graph.add("Add", add_conv(graph, block.conv3, y), x)
    z = _normalised(graph, y, block.conv4.in_channels, block.eps)
    z = add_conv(graph, block.conv5, _gated(graph, add_conv(graph, block.conv4, z)))
    return graph.add("Add", z, y)


def _normalised(graph: OnnxGraph, x: str, channels: int, eps: float) -> str:
    last = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    ones = graph.numbers(*[1.0] * channels)
    last = graph.add("LayerNormalization", last, ones, axis=-1, epsilon=eps)
    return graph.add("Transpose", last, perm=[0, 3, 1, 2])


def _gated(graph: OnnxGraph, x: str) -> str:
    first, second = graph.add_many("Split", 2, x, axis=1, num_outputs=2)
    return graph.add("Mul", first, second)


def _attention(graph: OnnxGraph, pool: ChannelPool, attend: nn.Module, y: str) -> str:
    """Weights for every channel of ``y``, from the means around each place (see `ChannelPool`)."""
    if pool.reach is None:
        return add_conv(graph, attend, graph.add("GlobalAveragePool", y))
    means = y
    if pool.cell > 1:
        sides = [pool.cell] * 2
        means = graph.add("AveragePool", y, kernel_shape=sides, strides=sides, ceil_mode=1, count_include_pad=0)
    window = [2 * pool.reach + 1] * 2
    means = graph.add("AveragePool", means, kernel_shape=window, pads=[pool.reach] * 4, count_include_pad=0)
    attention = add_conv(graph, attend, means)
    if pool.cell > 1:
        factors = graph.numbers(1.0, 1.0, float(pool.cell), float(pool.cell))
        attention = graph.add(
            "Resize", attention, "", factors, mode="linear", coordinate_transformation_mode="half_pixel"
        )
    return _cropped(graph, attention, _size(graph, y))


def _size(graph: OnnxGraph, x: str) -> str:
    """Height and width of ``x``, known when the graph runs."""
    return graph.add("Shape", x, start=2)


def _padded(graph: OnnxGraph, x: str, size: str, border: Border) -> str:
    """``x``, larger at the right and the bottom, as `Border` makes it."""
    if not border.mirrored:
        missing = graph.add("Mod", graph.add("Neg", size), graph.numbers(border.multiple))
        return graph.add("Pad", x, graph.add("Concat", graph.numbers(0, 0, 0, 0, 0, 0), missing, axis=0))
    zero, one = graph.numbers(0), graph.numbers(1)
    for place, axis in enumerate((2, 3)):
        length = graph.add("Slice", size, graph.numbers(place), graph.numbers(place + 1))
        whole = graph.add("Add", length, graph.add("Mod", graph.add("Neg", length), graph.numbers(border.multiple)))
        steps = graph.add("Range", *(graph.add("Squeeze", bound) for bound in (zero, whole, one)))
        last = graph.add("Sub", graph.add("Add", length, length), one)
        back = graph.add("Max", graph.add("Sub", last, steps), zero)
        x = graph.add("Gather", x, graph.add("Min", steps, back), axis=axis)
    return x


def _cropped(graph: OnnxGraph, x: str, size: str) -> str:
    return graph.add("Slice", x, graph.numbers(0, 0), size, graph.numbers(2, 3))


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
