"""The quantised ops of ONNX Runtime's own domain give what ONNX Runtime gives, at bytes with and without a sign."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "bench"))

import runtimes  # noqa: E402

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

X, OTHER = [2, 6, 7, 5], [6, 1, 1]  # shapes
SCALES = (0.021, 0.035, 0.027)

# op, the shapes of its operands (each with a scale and a zero point behind it), attributes
CASES: dict[str, tuple[list[list[int]], dict[str, Any]]] = {
    "QLinearAdd": ([X, OTHER], {}),
    "QLinearMul": ([OTHER, X], {}),
    "QLinearSigmoid": ([X], {}),
    "QLinearLeakyRelu": ([X], {"alpha": 0.3}),
    "QLinearAveragePool": ([X], {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1], "strides": [2, 1], "count_include_pad": 1}),
    "QLinearGlobalAveragePool": ([X], {}),
    "QLinearSoftmax": ([X], {"axis": -1, "opset": 13}),
    "QLinearConcat": ([X, [2, 3, 7, 5]], {"axis": 1}),
    "QLinearWhere": ([X, OTHER], {}),
    "QGemm": ([[5, 9], [9, 4]], {"alpha": 0.5}),
    "QGemm of f32": ([[9, 5], [4, 9]], {"transA": 1, "transB": 1}),
}


def model(case: str, kind: np.dtype[Any], path: Path) -> list[tuple[str, list[int]]]:
    """Writes a model of the one op; returns its inputs of bytes."""
    op = case.split()[0]
    shapes, attributes = CASES[case]
    element = onnx.helper.np_dtype_to_tensor_dtype(kind)
    middle = 120 if kind == np.uint8 else -3
    constants: list[Any] = []

    def constant(name: str, values: Any, dtype: Any) -> str:
        constants.append(onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def units(name: str, scale: float, zero: int) -> list[str]:
        return [constant(f"{name}_scale", scale, np.float32), constant(f"{name}_zero", zero, kind)]

    operands = [(f"x{i}", shape) for i, shape in enumerate(shapes)]
    inputs = [n for i, (name, _) in enumerate(operands) for n in [name, *units(name, SCALES[i], middle + 5 * i)]]
    result = units("y", 1 / 256 if op == "QLinearSoftmax" else SCALES[2], 0 if op == "QLinearSoftmax" else middle - 7)
    if op == "QLinearConcat":
        inputs = result + inputs
    elif op == "QLinearWhere":
        inputs = [constant("condition", np.arange(35).reshape(7, 5) % 3 == 0, bool), *inputs, *result]
    elif op == "QGemm":
        inputs += [constant("c", [700, -300, 41, 5], np.int32), *(result if " " not in case else [])]
    else:
        inputs += result
    output = onnx.TensorProto.FLOAT if " " in case else element
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(op, inputs, ["y"], domain="com.microsoft", **attributes)],
        op,
        [onnx.helper.make_tensor_value_info(name, element, shape) for name, shape in operands],
        [onnx.helper.make_tensor_value_info("y", output, None)],
        constants,
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return operands


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize("case", CASES)
def test_like_onnx_runtime(case: str, kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    operands = model(case, np.dtype(kind), path)
    random = np.random.default_rng(7)
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    feeds = {name: random.integers(least, most + 1, shape).astype(kind) for name, shape in operands}
    (wanted,) = onnxruntime.InferenceSession(path).run(None, feeds)
    command = [runtimes.BURNISH, "run", path, "--device=cpu", "--tune=model", "--quiet", f"--output-dir={tmp_path}"]
    for name, array in feeds.items():
        np.save(tmp_path / f"{name}.npy", array)
        command.append(f"--input={name}={tmp_path / name}.npy")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    got = np.load(tmp_path / "y.npy")
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    if wanted.dtype == np.float32:
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
        return
    apart = np.abs(got.astype(int) - wanted.astype(int))
    # What falls between two integers to a float's last bit may go either way.
    assert apart.max() <= 1 and (apart > 0).mean() < 0.02, f"{(apart > 0).sum()} of {apart.size} differ, by {apart.max()} at most"
