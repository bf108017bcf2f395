"""Writing an ONNX graph node by node: names, weights in float32 or float16, and metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # what darktable's own models use; every runtime of the last two years reads it
IR_VERSION = 10
SMALLEST_HALF = 512  # values: smaller tensors (biases, constants) stay in float32 and cost next to nothing


class OnnxGraph:
    """Collects nodes and weights; the value ``input`` is there from the start.

    Args:
        half: store weights as float16. They are cast when the file is loaded and all arithmetic stays in float32, so
            the file is half as large and the picture hardly changes.
    """

    def __init__(self, half: bool = False) -> None:
        self.half = half
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._count = 0

    def weight(self, values: npt.NDArray[np.float32]) -> str:
        """Add a float tensor and return its name."""
        name = self._name("weight")
        if not self.half or values.size < SMALLEST_HALF:
            self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
            return name
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float16), name))
        return self.add("Cast", name, to=TensorProto.FLOAT)

    def numbers(self, *values: float) -> str:
        """Add a short list of whole numbers (int64) or floats (float32), once however often it is asked for."""
        return self._constant(np.array(values, np.int64 if isinstance(values[0], int) else np.float32))

    def scalar(self, value: float) -> str:
        """Add one float32 without dimensions."""
        return self._constant(np.array(value, np.float32))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.add_many(operator, 1, *inputs, **attributes)[0]

    def add_many(self, operator: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        names = [self._name(operator.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def model(
        self, output: str, height: int | str, width: int | str, scale: int, metadata: Mapping[str, str]
    ) -> onnx.ModelProto:
        """Return the whole model, checked.

        Args:
            output: the value that is the result; it is called ``output`` in the file.
            height, width: of the input (1, 3, height, width); a name where any size will do.
            scale: how many times larger the output is.
            metadata: strings by name, for the file's own table.
        """
        grown = [
            side * scale if isinstance(side, int) else side if scale == 1 else f"{scale}*{side}"
            for side in (height, width)
        ]
        self._nodes.append(helper.make_node("Identity", [output], ["output"]))
        graph = helper.make_graph(
            self._nodes,
            "adair",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, height, width])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, *grown])],
            initializer=self._weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="adair"
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model)
        return model

    def _constant(self, values: npt.NDArray[Any]) -> str:
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = self._name("constant")
            self._weights.append(numpy_helper.from_array(values, self._constants[key]))
        return self._constants[key]

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"


def halve(model: onnx.ModelProto) -> None:
    """Store the weights of a finished model as `OnnxGraph` does with ``half``, in place."""
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type == TensorProto.FLOAT and math.prod(weight.dims) >= SMALLEST_HALF:
            casts.append(helper.make_node("Cast", [f"{weight.name}_half"], [weight.name], to=TensorProto.FLOAT))
            values = numpy_helper.to_array(weight).astype(np.float16)
            weight.CopyFrom(numpy_helper.from_array(values, casts[-1].input[0]))
    nodes = [*casts, *model.graph.node]  # before those that use their results
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
