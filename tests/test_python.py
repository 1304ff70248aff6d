"""The package burnish: arrays in and out of every type, shapes, threads, errors, files, lifetimes."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import burnish

REPOSITORY = Path(__file__).resolve().parent.parent
OPSET = helper.make_opsetid("", 23)
NO_TUNING: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}


def model_of(nodes: list[onnx.NodeProto], inputs: dict[str, tuple[int, list[Any]]], outputs: dict[str, tuple[int, list[Any] | None]],
             weights: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    """A model of `nodes`; inputs and outputs by name: (element type, shape)."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, *io) for name, io in inputs.items()],
        [helper.make_tensor_value_info(name, *io) for name, io in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[OPSET], ir_version=11)
    onnx.checker.check_model(model)
    return model


def identity(dtype: int, shape: list[Any]) -> onnx.ModelProto:
    """y = x: what goes in comes out."""
    return model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (dtype, shape)}, {"y": (dtype, shape)})


def affine(shape: list[Any], seed: int = 0) -> tuple[onnx.ModelProto, np.ndarray, np.ndarray]:
    """y = relu(x @ w + b), with its weights."""
    random = np.random.default_rng(seed)
    w, b = random.standard_normal((shape[-1], 5), np.float32), random.standard_normal(5, np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    return model_of(nodes, {"x": (TensorProto.FLOAT, shape)}, {"y": (TensorProto.FLOAT, [*shape[:-1], 5])}, {"w": w, "b": b}), w, b


def affine_answer(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    answer: np.ndarray = np.maximum(x.astype(np.float64) @ w + b, 0)
    return answer


@pytest.fixture(scope="module")
def small() -> tuple[burnish.Module, np.ndarray, np.ndarray]:
    model, w, b = affine(["n", 7])
    return burnish.compile(model, min_shapes={"x": (1, 7)}, max_shapes={"x": (64, 7)}, **NO_TUNING), w, b


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 5), (3, 1, 7, 2)], ids=str)
def test_element_types_and_shapes_come_back_as_they_went_in(dtype: str, shape: tuple[int, ...]) -> None:
    x = (np.random.default_rng(7).standard_normal(shape) * 50).astype(dtype)
    module = burnish.compile(identity(helper.np_dtype_to_tensor_dtype(x.dtype), list(shape)), **NO_TUNING)
    assert module.inputs == (burnish.Io("x", dtype, shape),)
    y = module({"x": x})["y"]
    assert type(y) is np.ndarray and y.dtype == x.dtype and y.shape == shape
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize(("dtype", "name"), [
    (TensorProto.BFLOAT16, "bfloat16"), (TensorProto.FLOAT8E4M3FN, "float8_e4m3fn"), (TensorProto.FLOAT8E5M2, "float8_e5m2"),
])
def test_types_that_numpy_lacks_go_as_ml_dtypes_and_as_bits(dtype: int, name: str) -> None:
    x = np.random.default_rng(3).standard_normal((3, 5)).astype(getattr(ml_dtypes, name))
    bits = x.view(f"uint{8 * x.itemsize}")
    module = burnish.compile(identity(dtype, [3, 5]), **NO_TUNING)
    for given in (x, bits):
        y = module({"x": given})["y"]
        assert isinstance(y, burnish.Array) and y.dtype == name and y.shape == (3, 5)
        np.testing.assert_array_equal(y.numpy(), bits)
        assert y.numpy().view(x.dtype)[1, 2] == x[1, 2]


def test_results_are_right_and_inputs_are_left_alone(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module, w, b = small
    for n in (1, 3, 64):
        x = np.random.default_rng(n).standard_normal((n, 7), np.float32)
        before = x.copy()
        np.testing.assert_allclose(module({"x": x})["y"], affine_answer(x, w, b), rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(x, before)


def test_strided_read_only_and_odd_memory(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module, w, b = small
    base = np.random.default_rng(1).standard_normal((6, 7), np.float32)
    read_only = base.copy()
    read_only.flags.writeable = False
    shifted = np.frombuffer(b"\0" + base.tobytes(), np.uint8)[1:].view(np.float32).reshape(6, 7)  # not aligned to 4
    offset = np.concatenate([[np.float32(0)], base.ravel()])[1:].reshape(6, 7)  # aligned to 4, not to 16
    for x in (base, read_only, np.asfortranarray(base), shifted, offset, base[::2], base[::-1]):
        np.testing.assert_allclose(module({"x": x})["y"], affine_answer(x, w, b), rtol=1e-5, atol=1e-5)


def test_a_reshape_alone_gives_memory_of_its_own() -> None:
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    module = burnish.compile(model_of([node], {"x": (TensorProto.FLOAT, [2, 6])}, {"y": (TensorProto.FLOAT, [3, 4])}, {"shape": np.array([3, 4])}), **NO_TUNING)
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    y = module({"x": x})["y"]
    x[:] = -1
    np.testing.assert_array_equal(y, np.arange(12).reshape(3, 4))


def test_outputs_outlive_calls_and_the_module() -> None:
    model, w, b = affine([4, 7])
    module = burnish.compile(model, **NO_TUNING)
    inputs = [np.random.default_rng(seed).standard_normal((4, 7), np.float32) for seed in range(5)]
    outputs = [module({"x": x})["y"] for x in inputs]
    alive = weakref.ref(module)
    del module
    gc.collect()
    assert alive() is None
    for x, y in zip(inputs, outputs, strict=True):
        np.testing.assert_allclose(y, affine_answer(x, w, b), rtol=1e-5, atol=1e-5)
        y += 1  # the caller's own


def test_nothing_is_kept_of_inputs_or_outputs(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module = small[0]
    x, inputs = np.ones((3, 7), np.float32), {}
    inputs["x"] = x
    before = sys.getrefcount(x), sys.getrefcount(inputs), sys.getrefcount(module)
    for _ in range(50):
        y = module(inputs)["y"]
    base = y.base
    assert (sys.getrefcount(x), sys.getrefcount(inputs), sys.getrefcount(module)) == before
    assert sys.getrefcount(y) == 2 and base is not None


def test_out_is_written_into(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module, w, b = small
    x, y = np.random.default_rng(5).standard_normal((3, 7), np.float32), np.zeros((3, 5), np.float32)
    assert module({"x": x}, out={"y": y})["y"] is y
    np.testing.assert_allclose(y, affine_answer(x, w, b), rtol=1e-5, atol=1e-5)
    fixed = np.zeros((3, 5), np.float32)
    fixed.flags.writeable = False
    for wrong in (np.zeros((4, 5), np.float32), np.zeros((3, 5), np.float64), fixed, np.zeros((5, 3), np.float32).T):
        with pytest.raises(burnish.Error, match="output 'y'"):
            module({"x": x}, out={"y": wrong})
    with pytest.raises(burnish.UsageError, match="no output 'z'.*'y'"):
        module({"x": x}, out={"z": y})


def test_eight_threads_call_one_module(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module, w, b = small
    wrong: list[object] = []

    def work(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(40):
            x = random.standard_normal((random.integers(1, 65), 7), np.float32)
            if not np.allclose(module({"x": x})["y"], affine_answer(x, w, b), rtol=1e-5, atol=1e-5):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(("inputs", "words"), [
    ({}, "input 'x' is missing"),
    ({"x": np.zeros((2, 7), np.float32), "z": np.zeros(1)}, "no input 'z'.*'x'"),
    ({"x": np.zeros((2, 7))}, "input 'x'.*f32.*f64"),
    ({"x": np.zeros((2, 8), np.float32)}, r"input 'x'.*\[n, ?7\].*2x8"),
    ({"x": np.zeros(7, np.float32)}, "input 'x'.*7"),
    ({"x": np.zeros((65, 7), np.float32)}, "input 'x'.*65.*range 1 to 64"),
    ({"x": [[0.0] * 7]}, "input 'x'.*NumPy.*list"),
    ({"x": None}, "input 'x'.*NoneType"),
    ({"x": np.zeros((2, 7), ">f4")}, "input 'x'.*byte order"),
    ({"x": np.array([["a"] * 7])}, "input 'x'"),
    ({"x": np.zeros((2, 7), np.complex64)}, "input 'x'"),
    ({3: np.zeros((2, 7), np.float32)}, "key 3"),
])
def test_bad_inputs_are_named(small: tuple[burnish.Module, np.ndarray, np.ndarray], inputs: dict[Any, Any], words: str) -> None:
    with pytest.raises(burnish.Error, match=words):
        small[0](inputs)


@pytest.mark.parametrize(("arguments", "words"), [
    ({"precision": "fp17"}, "fp17.*fp16"),
    ({"device": "tpu", "shapes": {"x": (1, 7)}}, "tpu.*cpu"),
    ({"tune": "guess"}, "guess.*measure"),
    ({"shapes": {"z": (1, 7)}}, "no input 'z'"),
    ({"shapes": {"x": (1, 8)}}, "input 'x'.*8"),
    ({"min_shapes": {"x": (1, 7)}}, "max_shapes"),
    ({"min_shapes": {"x": (5, 7)}, "max_shapes": {"x": (1, 7)}}, "input 'x'.*5"),
    ({}, "input 'x'.*dynamic"),
])
def test_bad_arguments_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(burnish.Error, match=words):
        burnish.compile(affine(["n", 7])[0], **NO_TUNING | arguments)


def test_bad_models_and_files_are_named(tmp_path: Path) -> None:
    for model in (b"", b"not a model", 3.5, tmp_path / "missing.onnx"):
        with pytest.raises(burnish.Error):
            burnish.compile(model, **NO_TUNING)  # type: ignore[arg-type]
    (tmp_path / "bad.burnish").write_bytes(b"BURNISH but not really")
    for path in ("missing.burnish", "bad.burnish"):
        with pytest.raises(burnish.Error, match=path):
            burnish.load(tmp_path / path)


def test_models_come_as_paths_bytes_and_protos_and_are_saved(tmp_path: Path) -> None:
    model, w, b = affine([3, 7])
    onnx.save(model, tmp_path / "m.onnx")
    x = np.random.default_rng(0).standard_normal((3, 7), np.float32)
    modules = [burnish.compile(source, **NO_TUNING) for source in (tmp_path / "m.onnx", str(tmp_path / "m.onnx"), model.SerializeToString(), model)]
    modules[0].save(tmp_path / "m.burnish")
    modules += [burnish.load(tmp_path / "m.burnish"), burnish.load(str(tmp_path / "m.burnish"), device="reference"), pickle.loads(pickle.dumps(modules[1]))]
    first = modules[0]({"x": x})["y"]
    np.testing.assert_allclose(first, affine_answer(x, w, b), rtol=1e-5, atol=1e-5)
    for module in modules[1:]:
        assert (module.inputs, module.outputs) == (modules[0].inputs, modules[0].outputs)
        np.testing.assert_allclose(module({"x": x})["y"], first, rtol=1e-6, atol=1e-6)
    with pytest.raises(burnish.Error, match="no-such-folder"):
        modules[0].save(tmp_path / "no-such-folder" / "m.burnish")


def test_what_it_tells(small: tuple[burnish.Module, np.ndarray, np.ndarray]) -> None:
    module = small[0]
    assert module.inputs == (burnish.Io("x", "float32", ("n", 7)),)
    assert module.outputs == (burnish.Io("y", "float32", ("n", 5)),)
    assert module.device == "cpu"
    assert "x: float32[n, 7]" in repr(module)
    assert {"cpu", "reference"} <= {device.name for device in burnish.devices()}
    assert all(device.chip and device.memory_bytes > 0 for device in burnish.devices())


def test_progress_is_told_and_its_errors_end_the_build() -> None:
    told: list[float] = []
    burnish.compile(affine([3, 7])[0], progress=lambda fraction, what: told.append(fraction), **NO_TUNING)
    assert told and all(0 <= fraction <= 1 for fraction in told)

    def fail(fraction: float, what: str) -> None:
        raise ZeroDivisionError(what)

    with pytest.raises(ZeroDivisionError):
        burnish.compile(affine([3, 7])[0], progress=fail, **NO_TUNING)


def test_ctrl_c_ends_a_build() -> None:
    def interrupt(fraction: float, what: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            burnish.compile(affine([3, 7])[0], progress=interrupt, **NO_TUNING)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_run_while_it_builds_and_runs() -> None:
    """A thread of Python counts on while the other is inside Burnish."""
    side = 512
    weights = {f"w{i}": np.eye(side, dtype=np.float32) for i in range(12)}
    nodes = [helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}" if i < 11 else "y"]) for i in range(12)]
    model = model_of(nodes, {"x": (TensorProto.FLOAT, [side, side])}, {"y": (TensorProto.FLOAT, [side, side])}, weights)
    module = burnish.compile(model, device="reference", tune="model", tuning_cache="none")
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    module({"x": np.ones((side, side), np.float32)})  # some 1.6 GMAC on the naive kernels
    during = ticks
    done.set()
    thread.join()
    assert during > 3


def test_import_needs_no_torch_and_no_onnx() -> None:
    code = "import sys, burnish; assert not {'torch', 'onnx', 'ml_dtypes'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
