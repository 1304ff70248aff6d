"""What an ONNX model gives in double precision: integers exact, and of floats no last bits to speak of.

ONNX's own evaluator runs the model with every float32 made a float64; three ops that tie it to float32 are written anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray


def dynamic_quantize_linear(_: Any, x: Array) -> tuple[Array, Array, Array]:
    """DynamicQuantizeLinear, of ONNX's text: half to even, and zero itself exact."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    scale = (high - low) / 255 if high > low else 1.0
    zero = np.clip(np.rint(-low / scale), 0, 255)
    codes = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)
    return codes, np.asarray(scale, np.float64), np.asarray(zero, np.uint8)


def dequantize_linear(_: Any, x: Array, scale: Array, zero: Array | None = None, **__: Any) -> tuple[Array]:
    """DequantizeLinear of one scale."""
    return ((x.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))) * scale,)


def matmul_integer(_: Any, a: Array, b: Array, a_zero: Array | None = None, b_zero: Array | None = None) -> tuple[Array]:
    """MatMulInteger; doubles hold its sums exactly."""
    left = a.astype(np.float64) - (0.0 if a_zero is None else a_zero.astype(np.float64))
    right = b.astype(np.float64) - (0.0 if b_zero is None else b_zero.astype(np.float64))
    return ((left @ right).astype(np.int32),)


def in_doubles(graph: Any) -> None:
    """Makes every float32 of a graph, and of those inside it, a float64."""
    import onnx

    single, double = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE

    def widen(tensor: Any) -> None:
        if tensor.data_type == single:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    for tensor in graph.initializer:
        widen(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == single:
                attribute.i = double
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen(attribute.t)
            if attribute.type == onnx.AttributeProto.GRAPH:
                in_doubles(attribute.g)
    for info in [*graph.input, *graph.output]:
        if info.type.tensor_type.elem_type == single:
            info.type.tensor_type.elem_type = double
    del graph.value_info[:]


class ExactModel:
    """A model whose floats are doubles."""

    def __init__(self, path: Path) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator
        from onnx.reference.op_run import OpRun

        model = onnx.load(path)
        in_doubles(model.graph)
        runs = {
            "DynamicQuantizeLinear": dynamic_quantize_linear,
            "DequantizeLinear": dequantize_linear,
            "MatMulInteger": matmul_integer,
        }
        ops = [type(name, (OpRun,), {"_run": run}) for name, run in runs.items()]
        self.evaluator = ReferenceEvaluator(model, new_ops=ops)

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        doubles = {name: array.astype(np.float64) if array.dtype == np.float32 else array for name, array in inputs.items()}
        with np.errstate(all="ignore"):  # the logarithm of 0 in buckets of distances, which is then not taken
            return dict(zip(self.evaluator.output_names, self.evaluator.run(None, doubles)))
