"""Whatever a model says, the tool ends soon, with a short error that names what is wrong: never a crash, a hang, or a
message of the standard library. `./check --all` does the same for 200 mutants of each packaged model (model_mutants.py).
"""

import json
import random
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import model_mutants

REPOSITORY = Path(__file__).resolve().parent.parent
MODELS = REPOSITORY / "build" / "models"
TOOL = REPOSITORY / "build" / "bin" / "burnish"
SEED = 20


def inspect(data: bytes, name: str = "model.onnx") -> tuple[int, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return model_mutants.check(TOOL, path, [])


@pytest.mark.parametrize(("name", "count"), [("ch_ppocr_mobile_v2.0_cls_mobile", 24), ("silero_vad_v6", 12), ("magika", 6)])
def test_mutants_of_packaged_models(name: str, count: int) -> None:
    original = onnx.load(MODELS / f"{name}.onnx")
    for number in range(count):
        data, changes = model_mutants.mutant(original, random.Random(f"{name}/{SEED}/{number}"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(data)
            code, message, wrong = model_mutants.check(TOOL, path, model_mutants.SHAPES[name])
        assert not wrong, f"tests/model_mutants.py {MODELS / name}.onnx --seed {SEED} --only {number} ({changes}): {wrong}\n{code}: {message}"


def small(**changes: Any) -> onnx.ModelProto:
    """x [2,3] times w [3,4] plus b, with parts replaced by the caller."""
    parts: dict[str, Any] = {
        "nodes": [helper.make_node("MatMul", ["x", "w"], ["h"], "product"), helper.make_node("Add", ["h", "b"], ["y"], "sum")],
        "inputs": [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        "outputs": [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 4])],
        "initializers": [
            helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.5] * 12),
            helper.make_tensor("b", TensorProto.FLOAT, [4], [1.0] * 4),
        ],
    }
    parts |= changes
    graph = helper.make_graph(parts["nodes"], "g", parts["inputs"], parts["outputs"], parts["initializers"])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def input_of(shape: list[int], element: int = TensorProto.FLOAT) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info("x", element, shape)]


def external(location: str, **entries: str) -> list[onnx.TensorProto]:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return [tensor, helper.make_tensor("b", TensorProto.FLOAT, [4], [1.0] * 4)]


def repeat(op: str, times: int, **attributes: Any) -> list[onnx.NodeProto]:
    names = ["x", *(f"v{i}" for i in range(times - 1)), "y"]
    return [helper.make_node(op, [a, a], [b], f"{op}_{i}", **attributes) for i, (a, b) in enumerate(zip(names, names[1:]))]


def calls_itself() -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    function = helper.make_function("local", "F", ["a"], ["b"], [helper.make_node("F", ["a"], ["b"], "again", domain="local")], opsets)
    graph = small(nodes=[helper.make_node("F", ["x"], ["y"], "first", domain="local")]).graph
    return helper.make_model(graph, functions=[function], opset_imports=opsets)


HUGE = 1 << 40
CASES: dict[str, tuple[onnx.ModelProto, str]] = {
    "cycle": (small(nodes=[helper.make_node("Add", ["x", "y"], ["h"], "a"), helper.make_node("Relu", ["h"], ["y"], "b")]), "cycle"),
    "own output": (small(nodes=[helper.make_node("Add", ["x", "y"], ["y"], "a")]), "cycle"),
    "missing input": (small(nodes=[helper.make_node("Add", ["x", "z"], ["y"], "a")]), "'z'"),
    "missing operand": (small(nodes=[helper.make_node("Add", ["x"], ["y"], "a")]), "'a'"),
    "too many operands": (small(nodes=[helper.make_node("Relu", ["x", "x", "x"], ["y"], "a")]), "'a'"),
    "missing output": (small(nodes=[helper.make_node("Relu", ["x"], ["h"], "a")]), "'y'"),
    "two producers": (small(nodes=[helper.make_node("Relu", ["x"], ["y"], "a"), helper.make_node("Abs", ["x"], ["y"], "b")]), "'y'"),
    "unknown op": (small(nodes=[helper.make_node("Frobnicate", ["x"], ["y"], "a")]), "Frobnicate"),
    "wrong type": (small(inputs=input_of([2, 3], TensorProto.INT64)), "'product'"),
    "string input": (small(inputs=input_of([2, 3], TensorProto.STRING)), "'x'"),
    "wrong shape": (small(inputs=input_of([2, 5])), "'product'"),
    "overflowing size": (small(nodes=[helper.make_node("Relu", ["x"], ["y"], "a")], inputs=input_of([HUGE, HUGE, HUGE]), outputs=[helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]), ""),
    "huge size": (small(nodes=[helper.make_node("Relu", ["x"], ["y"], "a")], inputs=input_of([HUGE, 4]), outputs=[helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]), ""),
    "exploding concat": (small(nodes=repeat("Concat", 62, axis=0), outputs=[helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]), ""),
    "negative dimension": (small(inputs=input_of([-5, 3])), "'x'"),
    "too few weights": (small(initializers=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 4], raw_data=b"1234"), *external("x")[1:]]), "'w'"),
    "too large weights": (small(initializers=[TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[HUGE, HUGE], raw_data=b"1234"), *external("x")[1:]]), "'w'"),
    "leaves the folder": (small(initializers=external("../secret")), "'w'"),
    "absolute path": (small(initializers=external("/etc/passwd")), "'w'"),
    "hidden way out": (small(initializers=external("a/b/../../../secret")), "'w'"),
    "missing file": (small(initializers=external("not there.bin")), "'w'"),
    "a folder": (small(initializers=external(".")), "'w'"),
    "negative offset": (small(initializers=external("model.onnx", offset="-4")), "'w'"),
    "offset beyond": (small(initializers=external("model.onnx", offset="99999999")), "'w'"),
    "no number": (small(initializers=external("model.onnx", length="0x10")), "'w'"),
    "function that calls itself": (calls_itself(), "'again'"),
    "unknown opset": (helper.make_model(small().graph, opset_imports=[helper.make_opsetid("", 2000)]), "2000"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_model(case: str) -> None:
    model, named = CASES[case]
    code, message, wrong = inspect(model.SerializeToString())
    assert not wrong, f"{wrong}: {message}"
    assert code == 1 or case in ("huge size",), f"exit code {code}: {message}"
    assert named in message


def test_link_out_of_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (inside / "w.bin").symlink_to(tmp_path / "secret")
    (inside / "model.onnx").write_bytes(small(initializers=external("w.bin")).SerializeToString())
    code, message, wrong = model_mutants.check(TOOL, inside / "model.onnx", [])
    assert not wrong and code == 1 and "outside the model's folder" in message


def test_names_of_any_bytes(tmp_path: Path) -> None:
    """Nothing makes sure that a model's strings are UTF-8: it is saved, loaded, run and reported on all the same."""
    data = small().SerializeToString()
    model, engine, report = tmp_path / "model.onnx", tmp_path / "model.burnish", tmp_path / "report.json"
    model.write_bytes(data.replace(b"product", b"\xff\xc3oduct").replace(b"\n\x01x", b"\n\x01\xff"))
    untimed = ["--device", "cpu", "--tune", "model", "--tuning-cache", "none"]
    commands: list[list[str | Path]] = [
        ["build", model, *untimed, "-o", engine],
        ["run", engine, "--json", report],
        ["explain", engine, "--json", report],
        ["inspect", engine, "--json", report],
        ["bench", engine, "--duration-s", "0.01", "--json", report],
    ]
    for command in commands:
        done = subprocess.run([TOOL, *command], capture_output=True, check=False)
        assert done.returncode == 0, f"{command[0]}: {done.stderr!r}"
        if command[0] != "build":
            json.loads(report.read_text("utf-8"))


def test_cut_files() -> None:
    whole = small().SerializeToString()
    for length in range(0, len(whole), 7):
        code, message, wrong = inspect(whole[:length])
        assert not wrong, f"{length} of {len(whole)} bytes: {wrong}: {message}"


@pytest.mark.parametrize("data", [b"", b"\n", b"BURNISH\n", bytes(100), b"PK\x03\x04" + bytes(60), b"<html></html>"])
def test_files_of_another_kind(data: bytes) -> None:
    for name in ("model.onnx", "model.burnish"):
        code, message, wrong = inspect(data, name)
        assert not wrong and code == 1, f"{wrong}: {message}"


def test_cut_and_altered_engines(tmp_path: Path) -> None:
    (tmp_path / "small.onnx").write_bytes(small().SerializeToString())
    engine = tmp_path / "small.burnish"
    subprocess.run([TOOL, "build", tmp_path / "small.onnx", "--device", "cpu", "--tune", "model", "--tuning-cache", "none", "--quiet", "-o", engine], check=True)
    whole = engine.read_bytes()
    rng = random.Random(SEED)
    for number in range(24):
        changed = bytearray(whole)
        if number % 2:
            del changed[rng.randrange(len(whole)) :]
        else:
            # Nonzero, or in the header and its table: gaps between sections hold nothing.
            at = rng.choice([i for i in range(len(whole)) if i < 192 or whole[i]])
            changed[at] ^= 1 << rng.randrange(8)
        code, message, wrong = inspect(bytes(changed), "engine.burnish")
        assert not wrong, f"seed {SEED}, number {number}: {wrong}: {message}"
        assert code == 1, f"seed {SEED}, number {number}: a changed engine was loaded"
