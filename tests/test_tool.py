"""The command line: what each subcommand and option prints, writes and exits with, on small models."""

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

import model_mutants  # noqa: E402
from small_models import convolutions  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent
BURNISH = REPOSITORY / "build" / "bin" / "burnish"
MODELS = Path(os.environ.get("BURNISH_MODELS") or REPOSITORY / "build" / "models")
UNTIMED = ("--device=cpu", "--tune=model", "--tuning-cache=none")


def burnish(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the tool; it must exit with `code`."""
    done = subprocess.run([BURNISH, *arguments], capture_output=True, text=True)
    assert done.returncode == code, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def report(path: Path, *arguments: str | Path, code: int = 0) -> Any:
    """What the tool writes with --json."""
    burnish(*arguments, f"--json={path}", code=code)
    return json.loads(path.read_text())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return convolutions(tmp_path / "small.onnx")


@pytest.fixture
def engine(model: Path) -> Path:
    path = model.with_suffix(".burnish")
    burnish("build", model, "-o", path, *UNTIMED)
    return path


# --- explain ---


def test_explain_names_rules_nodes_and_kernels(model: Path, tmp_path: Path) -> None:
    text = burnish("explain", model, *UNTIMED).stdout
    assert text.splitlines()[0].startswith("small.onnx for ")
    assert re.search(r"^ops .*2 conv.*1 gelu", text, re.MULTILINE)
    assert re.search(r"^  gelu\w* at [^:]*gelu_erf[^:]*: .*gelu", text, re.MULTILINE)
    for heading in ("Rewrites", "Near misses", "Fused into one kernel", "Not fused", "Kernels"):
        assert re.search(rf"^{heading}", text, re.MULTILINE)

    told = report(tmp_path / "why.json", "explain", model, *UNTIMED)
    assert told["ops"]["gelu"] == 1 and told["ops"]["conv"] == 2
    gelu = next(one for one in told["rewrites"] if "gelu" in one["what"] and "gelu_erf" in one["where"])
    assert set(gelu["where"].split(", ")) >= {"gelu_div", "gelu_erf", "gelu_add", "gelu_mul"}
    covered = {name for kernel in told["kernels"] for name in kernel["node"].split(", ")}
    assert covered >= {"conv_1", "relu_1", "conv_2", "residual", "gelu_erf", "pool", "linear"}
    for kernel in told["kernels"]:
        ways = told["problems"][kernel["problem"]]["alternatives"]
        assert any(way["tactic"] == kernel["tactic"] and way["candidate"] == kernel["candidate"] for way in ways if "us" in way)
        assert all(way["reason"] for way in ways if "us" not in way)


def test_explain_of_an_engine_is_that_of_its_build(model: Path, engine: Path, tmp_path: Path) -> None:
    of_engine = report(tmp_path / "engine.json", "explain", engine)
    assert of_engine == report(tmp_path / "model.json", "explain", model, *UNTIMED)


def test_a_narrow_type_is_told_to_be_used_or_not(model: Path, tmp_path: Path) -> None:
    untimed = ["explain", model, "--device=cpu", "--tuning-cache=none", "--tune=model"]
    assert re.search(r"^Precision\n  fp16 is not used: the device computes in fp32", burnish(*untimed, "--precision=fp16").stdout, re.MULTILINE)
    measured = burnish("explain", model, "--device=cpu", "--precision=bf16", f"--tuning-cache={tmp_path / 'cache.txt'}").stdout
    assert re.search(r"^Precision\n(  .*\n)*  bf16 is (not )?used: ", measured, re.MULTILINE)


def test_measured_choices_have_times_and_their_problems_run(model: Path, tmp_path: Path) -> None:
    told = report(tmp_path / "why.json", "explain", model, "--device=cpu", f"--tuning-cache={tmp_path / 'cache.txt'}")
    timed = [kernel for kernel in told["kernels"] if kernel["us"]]
    assert timed
    for kernel in timed:
        ways = told["problems"][kernel["problem"]]["alternatives"]
        taken = [way for way in ways if (way["tactic"], way["candidate"]) == (kernel["tactic"], kernel["candidate"])]
        assert taken[0]["us"] <= 1.02 * min(way["us"] for way in ways if way.get("us")) + 0.011
    burnish("bench", "--problem", told["problems"][timed[0]["problem"]]["text"], "--device=cpu", "--duration-s=0.05")


# --- run ---


def test_check_agrees_and_fails_above_the_tolerance(model: Path, engine: Path, tmp_path: Path) -> None:
    for subject in ([model, *UNTIMED], [engine]):
        told = report(tmp_path / "check.json", "run", *subject, "--check")
        assert told["right"] and told["outputs"][0]["relative_l2"] <= told["tolerance"] == 1e-4
    wrong = burnish("run", model, *UNTIMED, "--check", "--tolerance=0", code=1)
    assert re.search(r"y: largest absolute error .*, relative L2 .*above the tolerance 0", wrong.stdout)
    burnish("run", model, *UNTIMED, "--tolerance=1", code=2)


def test_dump_writes_values_inside_the_graph(model: Path, engine: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(3).standard_normal((1, 3, 13, 11)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    given = (f"--input=x={tmp_path / 'x.npy'}", f"--output-dir={tmp_path}")
    burnish("run", model, *UNTIMED, *given, "--dump=c1", "--dump=r1")
    c1, r1 = np.load(tmp_path / "c1.npy"), np.load(tmp_path / "r1.npy")
    assert c1.shape == (1, 8, 13, 11)
    np.testing.assert_array_equal(np.maximum(c1, 0), r1)
    weights = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(model).graph.initializer}
    patch = np.einsum("chw,ochw->o", x[0, :, 3:6, 4:7], weights["w1"]) + weights["b1"]
    np.testing.assert_allclose(c1[0, :, 4, 5], patch, rtol=1e-4, atol=1e-5)

    values = report(tmp_path / "all.json", "run", engine, *given, "--dump=all")["values"]
    assert values and all((tmp_path / f"{value['name']}.npy").is_file() for value in values)
    assert "near it are 'c1'" in burnish("run", model, *UNTIMED, *given, "--dump=cc1", code=2).stderr
    assert "dump it from the model" in burnish("run", engine, *given, "--dump=nothing", code=2).stderr
    burnish("run", model, *UNTIMED, "--dump=c1", code=2)  # no folder


def test_inputs_in_another_type_and_layout(model: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(4).standard_normal((1, 3, 13, 11)).astype(np.float16)
    np.save(tmp_path / "plain.npy", x.astype(np.float32))
    np.save(tmp_path / "nhwc.npy", np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    burnish("run", model, *UNTIMED, f"--input=x={tmp_path / 'plain.npy'}", f"--output-dir={tmp_path / 'a'}")
    told = report(
        tmp_path / "io.json", "run", model, *UNTIMED, f"--input=x={tmp_path / 'nhwc.npy'}", f"--output-dir={tmp_path / 'b'}",
        "--io=x=fp16:nhwc", "--io=y=fp16", "--check", "--tolerance=1e-3",
    )  # fmt: skip
    assert told["outputs"][0]["dtype"] == "f16"
    a, b = np.load(tmp_path / "a" / "y.npy"), np.load(tmp_path / "b" / "y.npy")
    np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)
    assert "nchw, nhwc" in burnish("build", model, "-o", tmp_path / "e", "--io=x=blocked", *UNTIMED, code=2).stderr
    assert "neither an input nor an output 'z'" in burnish("build", model, "-o", tmp_path / "e", "--io=z=fp16", *UNTIMED, code=2).stderr


# --- diff ---


def test_diff_of_files(model: Path, engine: Path, tmp_path: Path) -> None:
    assert report(tmp_path / "d.json", "diff", model, model)["differences"] == []
    other = convolutions(tmp_path / "other.onnx", seed=8)
    lines = report(tmp_path / "d.json", "diff", model, other, code=1)["differences"]
    assert any(line.startswith("~ constant 'w1'") for line in lines) and not any(line.startswith("-") and "= conv(" in line for line in lines)
    proto = onnx.load(model)
    proto.graph.node[1].op_type = "Sigmoid"
    onnx.save(proto, tmp_path / "changed.onnx")
    lines = report(tmp_path / "d.json", "diff", model, tmp_path / "changed.onnx", code=1)["differences"]
    assert [line[0] for line in lines] == ["-", "+"] and "relu(" in lines[0] and "sigmoid(" in lines[1]

    burnish("diff", engine, engine)
    burnish("diff", engine, model, *UNTIMED)
    reference = tmp_path / "reference.burnish"
    burnish("build", model, "-o", reference, "--device=reference", "--tuning-cache=none")
    text = burnish("diff", engine, reference, code=1).stdout
    assert 'device backend: "cpu" in the first, "reference" in the second' in text
    assert re.search(r"kernel at .*: .* in the first, reference only in the second", text)


def test_diff_of_devices_and_precisions(model: Path, tmp_path: Path) -> None:
    told = report(tmp_path / "d.json", "diff", model, "--devices=cpu,reference", "--tune=model", "--tuning-cache=none")
    assert told["first_apart"] is None and {layer["value"] for layer in told["layers"]} >= {"y"}
    assert all(layer["relative_l2"] <= told["tolerance"] for layer in told["layers"])
    told = report(tmp_path / "d.json", "diff", model, "--devices=cpu,reference", "--tolerance=0", "--tune=model", "--tuning-cache=none", code=1)
    assert told["first_apart"] == next(layer["value"] for layer in told["layers"] if layer["relative_l2"] > 0)
    report(tmp_path / "d.json", "diff", model, "--precisions=fp32,bf16", *UNTIMED)
    assert "two" in burnish("diff", model, "--devices=cpu", code=2).stderr
    assert "one of" in burnish("diff", model, code=2).stderr


def test_bisect_finds_a_wrong_rule(model: Path, tmp_path: Path) -> None:
    assert report(tmp_path / "d.json", "diff", model, "--bisect", *UNTIMED)["kind"] == "none"
    rules = tmp_path / "wrong.rules"
    rules.write_text("rule gelu_is_relu\n  match %y = gelu(%x)\n  emit  %y = relu(%x)\n")
    told = report(tmp_path / "d.json", "diff", model, "--bisect", f"--rules={rules}", *UNTIMED, code=1)
    assert (told["kind"], told["name"]) == ("rewrite", "gelu_is_relu") and "gelu_erf" in told["where"]
    assert told["error_before"] <= told["tolerance"] < told["error_after"]
    rules.write_text("rule broken\n  match %y = nothing(%x)\n  emit %y = relu(%x)\n")
    assert "rules:" in burnish("build", model, "-o", tmp_path / "e", f"--rules={rules}", *UNTIMED, code=1).stderr


# --- inspect, devices, bench ---


def test_inspect_maps_the_arena(model: Path, engine: Path, tmp_path: Path) -> None:
    told = report(tmp_path / "i.json", "inspect", engine)
    assert told == report(tmp_path / "m.json", "inspect", model, *UNTIMED)
    assert told["whole"] and told["kernels"] and told["inputs"][0]["dims"] == ["1", "3", "13", "11"]
    buffers = told["buffers"]
    assert max(b["offset"] + b["bytes"] for b in buffers) <= told["arena_bytes"]
    live = [sum(-(-b["bytes"] // 64) * 64 for b in buffers if b["first"] <= step <= b["last"]) for step in range(1 + max(b["last"] for b in buffers))]
    assert max(live) == told["arena_lower_bound_bytes"] <= told["arena_bytes"]
    for i, a in enumerate(buffers):
        for b in buffers[:i]:
            together = a["first"] <= b["last"] and b["first"] <= a["last"]
            assert not together or a["offset"] + a["bytes"] <= b["offset"] or b["offset"] + b["bytes"] <= a["offset"]
    text = burnish("inspect", engine).stdout
    assert re.search(r"arena \d+ bytes, [\d.]+% above its lower bound", text) and "graph " in text
    assert "as imported" in burnish("inspect", engine, "--no-passes", code=2).stderr


def test_devices(tmp_path: Path) -> None:
    told = report(tmp_path / "d.json", "devices")
    cpu = next(device for device in told["devices"] if device["device"] == "cpu")
    assert cpu["arch"] and cpu["threads"] >= 1 and cpu["memory_bytes"] > 1e8 and "fp32" in cpu["precisions"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", cpu["libraries"]["oneDNN"])
    assert "cuda" in {device["backend"] for device in told["devices"]} | set(told["missing"])


def conformance_case(folder: Path, expected: float) -> Path:
    """A case in ONNX's layout whose output is its input, 0.5, and said to be `expected`."""
    values = folder / "test_data_set_0"
    values.mkdir(parents=True)
    scalar = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "case", [scalar("x", 1, [1])], [scalar("y", 1, [1])])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx")
    for file, value in (("input_0", 0.5), ("output_0", expected)):
        (values / f"{file}.pb").write_bytes(onnx.helper.make_tensor(file, 1, [1], [value]).SerializeToString())
    return folder


def test_conformance_names_what_fails(tmp_path: Path) -> None:
    right, wrong = conformance_case(tmp_path / "right", 0.5), conformance_case(tmp_path / "wrong", 0.75)
    assert burnish("conformance", right, *UNTIMED).stdout.splitlines()[-1] == "1 passed, 0 failed, 0 skipped"
    for path in (tmp_path, f"{wrong}/"):
        lines = burnish("conformance", path, *UNTIMED, code=1).stdout.splitlines()
        assert re.match("FAILED wrong: output 'y' .*0.5, not 0.75", lines[0]), lines


def test_bench(engine: Path, tmp_path: Path) -> None:
    for option in ([], ["--with-transfers"], ["--profile"]):
        told = report(tmp_path / "b.json", "bench", engine, "--warmup-ms=0", "--duration-s=0.01", *option)
        assert 0 < told["latency_ms"]["min"] <= told["latency_ms"]["median"] <= told["latency_ms"]["max"]


# --- options and exit codes ---


def test_wrong_usage(model: Path, engine: Path, tmp_path: Path) -> None:
    for arguments in (
        ["run", model, "--device=tpu"],
        ["run", model, "--precision=fp12"],
        ["run", model, "--precision=int8"],
        ["run", model, "--shape=x=1x2"],
        ["run", model, "--shape=z=1"],
        ["run", model, "--arch=sm_80", "--device=cpu"],
        ["run", engine, "--precision=fp16"],
        ["run", engine, "--io=x=fp16"],
        ["run", model, f"--input=z={tmp_path}"],
        ["diff", engine, "--bisect"],
        ["explain"],
        ["nothing"],
    ):
        assert burnish(*arguments, code=2).stderr.startswith("burnish: ")
    burnish("run", tmp_path / "missing.onnx", code=1)
    dynamic = convolutions(tmp_path / "dynamic.onnx", "n")
    assert "--shape x=1x3x13x11" in burnish("run", dynamic, *UNTIMED, code=2).stderr
    burnish("run", dynamic, "--shape=x=2x3x13x11", "--check", *UNTIMED)
    burnish("run", dynamic, "--min-shape=x=1x3x13x11", "--opt-shape=x=2x3x13x11", "--max-shape=x=4x3x13x11", "--check", *UNTIMED)


# --- repeatable ---


def measured_build(model: Path, engine: Path, *options: str) -> str:
    """Builds an engine, again where the machine was too busy to measure all that the cache lacks; what the first build said."""
    said = ""
    for _ in range(10):
        done = burnish("build", model, "-o", engine, "--device=cpu", "-v", *options)
        said = said or done.stderr
        if "too busy to measure" not in done.stdout + done.stderr:
            return said
        time.sleep(2)
    pytest.skip("the machine was too busy to measure kernels, ten times")


def check_repeatable(model: Path, folder: Path, *shapes: str) -> None:
    """A build that measures and one that finds all in its cache give the same file."""
    for name in ("cold", "warm"):
        said = measured_build(model, folder / name, f"--tuning-cache={folder / 'cache.txt'}", *shapes)
        assert ("0 candidates timed, 0 of them refused" in said.splitlines()) == (name == "warm"), said
    assert (folder / "cold").read_bytes() == (folder / "warm").read_bytes()


def check_same_bits(engine: Path, folder: Path) -> None:
    """Two processes that run an engine on the same seeded inputs write the same bytes."""
    for name in ("one", "other"):
        burnish("run", engine, "--device=cpu", "--seed=5", f"--output-dir={folder / name}")
    written = sorted((folder / "one").glob("*.npy"))
    assert written
    for file in written:
        assert file.read_bytes() == (folder / "other" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("batch", [1, "n"])
def test_two_builds_with_one_cache_give_the_same_bytes(batch: int | str, tmp_path: Path) -> None:
    ranges = ["--min-shape=x=1x3x13x11", "--opt-shape=x=2x3x13x11", "--max-shape=x=4x3x13x11"] if batch == "n" else []
    check_repeatable(convolutions(tmp_path / "small.onnx", batch), tmp_path, *ranges)


@pytest.mark.parametrize("name", ["ch_ppocr_mobile_v2.0_cls_mobile", "silero_vad_v6", "magika", "PP-OCRv6_rec_small"])
def test_builds_and_runs_of_packaged_models_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = MODELS / f"{name}.onnx"
    if not model.is_file():
        pytest.skip("needs scripts/fetch_models.py")
    shapes = [f"--shape={shape}" for shape in model_mutants.SHAPES[name]]
    check_repeatable(model, tmp_path, *shapes)
    check_same_bits(tmp_path / "cold", tmp_path)


@pytest.mark.parametrize("name", ["resnet18_dynamo", "mobilenet_v2_script"])
def test_builds_and_runs_of_exported_models_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = MODELS / "exported" / name / "model.onnx"
    if not model.is_file():
        pytest.skip("needs scripts/export_models.py")
    check_repeatable(model, tmp_path)
    check_same_bits(tmp_path / "cold", tmp_path)


def test_the_cache_folder_is_the_one_that_the_environment_names(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for named, written in (("none", False), ("named", True)):
        monkeypatch.setenv("BURNISH_CACHE", named)
        burnish("build", model, "-o", tmp_path / "small.burnish", "--device=cpu")
        assert (tmp_path / named / "tuning.txt").is_file() == written
