#!/usr/bin/env python3
"""Writes the seed corpora of the fuzz targets: small ONNX models with most of what the format offers, the IR texts and
engines that Burnish makes of them, and tuning caches. They are committed; run it again after a change of format.

    .venv/bin/python fuzz/make_corpus.py
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parent.parent
CORPUS = REPOSITORY / "fuzz" / "corpus"
TOOL = REPOSITORY / "build" / "bin" / "burnish"
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, shape: Sequence[int | str | None] | None = (2, 3), element: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def model(nodes: Sequence[onnx.NodeProto], inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[str], *, weights: Sequence[onnx.TensorProto] = (),
          opset: int = 17, functions: Sequence[onnx.FunctionProto] = (), element: int = FLOAT) -> onnx.ModelProto:  # fmt: skip
    graph = helper.make_graph(nodes, "g", inputs, [info(name, None, element) for name in outputs], weights)
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid("local", 1)] if functions else [])]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, ["" if x == "_" else x for x in inputs.split()], outputs.split(), f"{op}_node", **attributes)


def weight(name: str, *shape: int) -> onnx.TensorProto:
    count = int(np.prod(shape))
    return numpy_helper.from_array((np.arange(count, dtype=np.float32) / max(count, 1) - 0.5).reshape(shape), name)


def numbers(name: str, values: Any, kind: Any = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, kind), name)


def branch(name: str, nodes: Sequence[onnx.NodeProto], inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, inputs, outputs)


def models() -> Iterator[tuple[str, onnx.ModelProto]]:
    image = info("x", [1, 3, 8, 8])
    yield "conv", model([node("Conv", "x w b", "h", pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "h", "y")], [image], ["y"], weights=[weight("w", 4, 3, 3, 3), weight("b", 4)])
    yield "depthwise_clip", model([node("Conv", "x w", "h", group=3, auto_pad="SAME_UPPER"), node("Clip", "h low high", "y")], [image], ["y"],
                                  weights=[weight("w", 3, 1, 3, 3), numbers("low", 0, np.float32), numbers("high", 6, np.float32)])  # fmt: skip
    yield "batch_norm_old", model([node("BatchNormalization", "x s b m v", "y", epsilon=1e-3)], [image], ["y"], weights=[weight(n, 3) for n in "sbmv"], opset=7)
    yield "pooling", model([node("MaxPool", "x", "a", kernel_shape=[2, 2], strides=[2, 2]), node("AveragePool", "a", "b", kernel_shape=[3, 3], count_include_pad=1, pads=[1, 1, 1, 1]),
                            node("GlobalAveragePool", "b", "y")], [image], ["y"])  # fmt: skip
    yield "gemm_old_broadcast", model([node("Gemm", "x w b", "h", transB=1, broadcast=1), node("Add", "h b", "y", axis=1, broadcast=1)], [info("x")], ["y"], weights=[weight("w", 4, 3), weight("b", 4)], opset=6)
    yield "no_outputs", model([helper.make_node("Tile", ["x", "repeats"], []), node("Relu", "x", "y")], [info("x"), info("repeats", [2], INT64)], ["y"])
    yield "dynamic_reshape", model([node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axes", "u"), node("Concat", "u minus", "t", axis=0), node("Reshape", "x t", "y")],
                                   [info("x", ["n", "c", 4])], ["y"], weights=[numbers("zero", 0), numbers("axes", [0]), numbers("minus", [-1])])  # fmt: skip
    yield "slices", model([node("Slice", "x starts ends axes steps", "a"), node("Pad", "a pads", "b", mode="reflect"), node("Transpose", "b", "y", perm=[1, 0])], [info("x", ["n", 6])], ["y"],
                          weights=[numbers("starts", [5]), numbers("ends", [-7]), numbers("axes", [1]), numbers("steps", [-2]), numbers("pads", [0, 1, 0, 1])])  # fmt: skip
    yield "attention", model([node("MatMul", "x x", "s"), node("Softmax", "s", "p", axis=-1), node("MatMul", "p x", "y")], [info("x", ["b", 4, 4])], ["y"])
    yield "layer_norm", model([node("LayerNormalization", "x s b", "y", axis=-1, epsilon=1e-6)], [info("x", ["b", 5])], ["y"], weights=[weight("s", 5), weight("b", 5)])
    yield "einsum", model([node("Einsum", "x w", "y", equation="bij,jk->bik")], [info("x", ["b", 2, 3])], ["y"], weights=[weight("w", 3, 4)])
    yield "resize", model([node("Resize", "x _ scales", "y", mode="cubic", coordinate_transformation_mode="align_corners")], [info("x", [1, 2, 3, 4])], ["y"], weights=[numbers("scales", [1, 1, 2, 1.5], np.float32)])
    yield "top_k", model([node("TopK", "x k", "v i", axis=-1, largest=0), node("GatherElements", "x i", "y", axis=1)], [info("x", [2, 5])], ["v", "y"], weights=[numbers("k", [3])])
    yield "non_zero", model([node("NonZero", "x", "y")], [info("x", ["n", 3])], ["y"], element=INT64)
    yield "lstm", model([node("LSTM", "x w r", "y h c", hidden_size=2, direction="bidirectional")], [info("x", [3, 1, 4])], ["y", "h", "c"], weights=[weight("w", 2, 8, 4), weight("r", 2, 8, 2)])
    yield "gru", model([node("GRU", "x w r b _ h0", "y _", hidden_size=2, linear_before_reset=1)], [info("x", ["t", 1, 4])], ["y"],
                       weights=[weight("w", 1, 6, 4), weight("r", 1, 6, 2), weight("b", 1, 12), weight("h0", 1, 1, 2)])  # fmt: skip
    yield "quantized", model([node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("DequantizeLinear", "w ws _", "e", axis=0), node("MatMul", "d e", "y")], [info("x", [2, 4])], ["y"],
                             weights=[numbers("s", 0.1, np.float32), numbers("z", 3, np.uint8), numbers("w", np.arange(-8, 8).reshape(4, 4), np.int8), weight("ws", 4)])  # fmt: skip
    yield "integer_matmul", model([node("DynamicQuantizeLinear", "x", "q s z"), node("MatMulInteger", "q w z", "i"), node("Cast", "i", "f", to=FLOAT), node("Mul", "f s", "y")], [info("x", [2, 4])], ["y"],
                                  weights=[numbers("w", np.arange(-4, 4).reshape(4, 2), np.int8)])  # fmt: skip
    body = branch("body", [node("Add", "v x", "o"), node("Identity", "c", "d"), node("Identity", "v", "scan")],
                  [info("i", [], INT64), info("c", [], BOOL), info("v")], [info("d", [], BOOL), info("o"), info("scan")])  # fmt: skip
    yield "loop", model([node("Loop", "trips _ x", "y all", body=body)], [info("x")], ["y", "all"], weights=[numbers("trips", 3)])
    then, other = branch("then", [node("Neg", "x", "t")], [], [info("t")]), branch("else", [node("Add", "x w", "t")], [], [info("t")])
    yield "if", model([node("If", "flag", "y", then_branch=then, else_branch=other)], [info("x"), info("flag", [], BOOL)], ["y"], weights=[weight("w", 3)])
    step = branch("step", [node("Add", "s e", "n"), node("Mul", "n e", "o")], [info("s", [3]), info("e", [3])], [info("n", [3]), info("o", [3])])
    yield "scan", model([node("Scan", "s0 x", "last all", body=step, num_scan_inputs=1)], [info("x", ["t", 3])], ["last", "all"], weights=[weight("s0", 3)])
    slope = onnx.AttributeProto(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    leak = node("LeakyRelu", "a", "b")
    leak.attribute.append(slope)
    function = helper.make_function("local", "Leak", ["a"], ["b"], [leak], [helper.make_opsetid("", 17)], ["slope"])
    yield "function", model([helper.make_node("Leak", ["x"], ["y"], domain="local", slope=0.1)], [info("x")], ["y"], functions=[function])
    typed = [helper.make_tensor(f"t{kind}", kind, [2], [1, 0]) for kind in (TensorProto.DOUBLE, TensorProto.UINT64, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT16, TensorProto.UINT4)]
    yield "typed_tensors", model([node("Cast", t.name, f"c{t.name}", to=FLOAT) for t in typed] + [node("Sum", " ".join(f"c{t.name}" for t in typed) + " x", "y")], [info("x", [2])], ["y"], weights=typed, opset=21)
    sparse = helper.make_sparse_tensor(numbers("dense", [1.5, 2.5], np.float32), numbers("at", [1, 3]), [2, 3])
    yield "constants", model([node("Constant", "", "a", sparse_value=sparse), node("Constant", "", "b", value_floats=[1.0, 2.0, 3.0]), node("Constant", "", "c", value_int=1),
                              node("Cast", "c", "d", to=FLOAT), node("ConstantOfShape", "s", "e", value=numbers("v", [0.5], np.float32)), node("Sum", "a b d e x", "y")], [info("x")], ["y"], weights=[numbers("s", [2, 3])])  # fmt: skip
    yield "string_attribute", model([node("DepthToSpace", "x", "y", blocksize=2, mode="CRD")], [info("x", [1, 4, 2, 2])], ["y"])
    yield "old_upsample", model([node("Upsample", "x scales", "y", mode="nearest")], [info("x", [1, 1, 2, 2])], ["y"], weights=[numbers("scales", [1, 1, 2, 2], np.float32)], opset=9)
    external = TensorProto(name="w", data_type=FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    external.external_data.add(key="location", value="weights.bin")
    external.external_data.add(key="offset", value="4096")
    yield "external", model([node("Add", "x w", "y")], [info("x")], ["y"], weights=[external])
    yield "comparisons", model([node("Less", "x w", "a"), node("Not", "a", "b"), node("Where", "b x w", "y")], [info("x", [None, 3])], ["y"], weights=[weight("w", 3)])
    yield "scatter", model([node("ScatterND", "x i u", "a"), node("CumSum", "a zero", "y", exclusive=1)], [info("x", [4, 2])], ["y"], weights=[numbers("i", [[1], [3]]), weight("u", 2, 2), numbers("zero", 0)])


CACHES = {
    "empty": "",
    "comment": "# Burnish tuning cache: device, problem, then tactic, candidate and microseconds of each trial\n",
    "entries": "cpu.threads_2\tgraph problem(%x0: f32[4]) { %v0 = relu(%x0) : f32[4] yield %v0 }\tsimd.pointwise\tonly\t1.25\n"
    "cpu.threads_2\tgraph problem(%x0: f32[8]) { %v0 = relu(%x0) : f32[8] yield %v0 }\tsimd.pointwise\tonly\t2.50\n",
    "twice": "d\tp\tt\tc\t1.00\nd\tp\tt\tother\t0.50\n",
    "few_fields": "d\tp\tt\tc\n",
    "no_number": "d\tp\tt\tc\tfast\n",
    "trials": "d\tp\tt\tc\trefused: no such layout\tother\tonly\t1.50\nd\tq\tt\tc\trefused: \n",
    "no_newline": "d\tp\tt\t\t3e2",
    "carriage_returns": "d\tp\tt\tc\t1.00\r\n",
}


def main() -> None:
    for kind in ("import", "ir_text", "engine_file", "tuning_cache"):
        (CORPUS / kind).mkdir(parents=True, exist_ok=True)
    for name, text in CACHES.items():
        (CORPUS / "tuning_cache" / f"{name}.txt").write_text(text)
    with_engine = ("conv", "dynamic_reshape", "loop", "quantized", "top_k")
    for name, made in models():
        path = CORPUS / "import" / f"{name}.onnx"
        path.write_bytes(made.SerializeToString())
        printed = subprocess.run([TOOL, "inspect", path, "--no-passes"], capture_output=True, text=True, check=False)
        if printed.returncode == 0:
            (CORPUS / "ir_text" / f"{name}.txt").write_text(printed.stdout)
        elif name != "external":
            raise SystemExit(f"{name}: {printed.stderr}")
        shapes = ["--min-shape=x=1x1x4", "--opt-shape=x=2x3x4", "--max-shape=x=4x4x4"] if name == "dynamic_reshape" else []
        for device, suffix in (("reference", ""), ("cpu", "_cpu")):  # the second has regions, layouts and packed weights
            if name not in with_engine or (device == "cpu" and name != "conv"):
                continue
            engine = CORPUS / "engine_file" / f"{name}{suffix}.burnish"
            command: list[str | Path] = [TOOL, "build", path, "--device", device, "--tune", "model", "--tuning-cache", "none", "--quiet", *shapes, "-o", engine]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
