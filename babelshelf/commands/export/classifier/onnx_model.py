"""The classifier as ONNX: vectors and lexical features of pairs to p(yes).

Inputs, float32: `query`, `candidate` and, of category paths, `last` (the last levels): unit vectors, shape
(pairs, dimension); `lexical`, shape (pairs, 12). Output: `p_yes`, shape (pairs,). The reference candidates of the
contrast features are constants of the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from babelshelf.classifier import contrast, lexical
from babelshelf.core.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

INSTALL = "pip install 'babelshelf[export]'"
OPSET = 18  # from there on ReduceMean and ReduceMax take their axes as an input
IR = 8  # of the file format, that of this opset: both are read from onnxruntime 1.14 on


class Graph:
    """Nodes of a graph that is being built; each method adds one and returns the name of its output."""

    def __init__(self, helper: Any) -> None:  # noqa: ANN401 - a module of onnx, which may be missing
        self._helper = helper
        self.nodes: list[Any] = []
        self.constants: list[tuple[str, np.ndarray]] = []

    def constant(self, value: object, dtype: type = np.float32) -> str:
        """An array that the graph holds."""
        self.constants.append((f"c{len(self.constants)}", np.asarray(value, dtype)))
        return self.constants[-1][0]

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """A node; the name of its first output."""
        names = [f"n{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(self._helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def mean(self, values: str) -> str:
        """Mean of each row, shape (rows, 1)."""
        return self.add("ReduceMean", values, self.constant([1], np.int64), keepdims=1)

    def contrast(self, query: str, cosine: str, reference: np.ndarray) -> str:
        """`babelshelf.classifier.contrast.NAMES` of pairs, shape (pairs, 3)."""
        cosines = self.add("MatMul", query, self.constant(reference.T))
        count = self.constant([min(contrast.NEAREST, len(reference))], np.int64)
        top = self.add("TopK", cosines, count, outputs=2, axis=1, sorted=1)
        best = self.add("ReduceMax", top, self.constant([1], np.int64), keepdims=1)
        mean = self.mean(cosines)
        centred = self.add("Sub", cosines, mean)
        deviation = self.add("Sqrt", self.mean(self.add("Mul", centred, centred)))
        width = self.add("Add", deviation, self.constant(contrast.EPSILON))
        standard = self.add("Div", self.add("Sub", cosine, mean), width)
        below_near = self.add("Sub", cosine, self.mean(top))
        return self.add("Concat", self.add("Sub", cosine, best), below_near, standard, axis=1)


def onnx_model(arrays: Mapping[str, np.ndarray]) -> ModelProto:
    """The model.

    Args:
        arrays: `slope` and `intercept` of the features as they are; `candidates` and, of paths, `last`.

    Raises:
        InputError: the package onnx is missing.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InputError(f"--to classifier needs the package onnx: {INSTALL}") from error
    paths, dimension = "last" in arrays, arrays["candidates"].shape[1]
    graph = Graph(helper)
    last = "last" if paths else "candidate"
    product = graph.add("Mul", "query", "candidate")
    distance = graph.add("Abs", graph.add("Sub", "query", "candidate"))
    product_last = graph.add("Mul", "query", last)
    axis = graph.constant([1], np.int64)
    cosines = [graph.add("ReduceSum", part, axis, keepdims=1) for part in (product, product_last)]
    contrasts = [
        graph.contrast("query", cosine, arrays[name])
        for name, cosine in zip(("candidates", "last"), cosines, strict=True)
        if name in arrays
    ]
    dense = [product, distance, "candidate", *([product_last] if paths else [])]
    features = graph.add("Concat", *dense, *cosines, *contrasts, "lexical", axis=1)
    logits = graph.add(
        "Add", graph.add("MatMul", features, graph.constant(arrays["slope"])), graph.constant(arrays["intercept"])
    )
    graph.nodes.append(helper.make_node("Sigmoid", [logits], ["p_yes"]))
    inputs = {"query": dimension, "candidate": dimension} | ({"last": dimension} if paths else {})
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "pair_classifier",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pairs", width])
                for name, width in (inputs | {"lexical": len(lexical.NAMES)}).items()
            ],
            [helper.make_tensor_value_info("p_yes", TensorProto.FLOAT, ["pairs"])],
            [numpy_helper.from_array(value, name) for name, value in graph.constants],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="babelshelf",
    )
    checker.check_model(model)
    made: ModelProto = model
    return made
