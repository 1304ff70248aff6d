"""Small ONNX models that tests make by themselves."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def _save(nodes: list[onnx.NodeProto], inputs: dict[str, list[int | str]], outputs: list[str], weights: dict[str, np.ndarray], path: Path) -> Path:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def convolutions(path: Path, batch: int | str = 1, seed: int = 7) -> Path:
    """Two convolutions with a residual, a GELU spelt out with erf, pooling and a linear layer; x[batch,3,13,11] -> y[batch,5]."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 4)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv_1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu_1"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="conv_2", pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "r1"], ["a"], name="residual"),
        helper.make_node("Div", ["a", "root"], ["g1"], name="gelu_div"),
        helper.make_node("Erf", ["g1"], ["g2"], name="gelu_erf"),
        helper.make_node("Add", ["g2", "one"], ["g3"], name="gelu_add"),
        helper.make_node("Mul", ["a", "g3"], ["g4"], name="gelu_mul"),
        helper.make_node("Mul", ["g4", "half"], ["g"], name="gelu_half"),
        helper.make_node("GlobalAveragePool", ["g"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["y"], name="linear", transB=1),
    ]
    weights = {"w1": draw(8, 3, 3, 3), "b1": draw(8), "w2": draw(8, 8, 3, 3), "b2": draw(8), "w3": draw(5, 8), "b3": draw(5)}
    weights |= {"root": np.sqrt(np.array(2.0)), "one": np.array(1.0), "half": np.array(0.5)}
    return _save(nodes, {"x": [batch, 3, 13, 11]}, ["y"], weights, path)
