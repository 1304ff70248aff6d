#!/usr/bin/env python3
"""Time one model under one runtime, alone in its process: ONNX Runtime's spinning threads slow whatever runs beside it.

    bench/runtimes.py onnxruntime MODEL.onnx --input x=x.npy --threads 2 --output-dir DIR

prints one line of JSON, with the keys that `burnish bench --json` has. `measure` runs this file, or the burnish tool,
as a process of its own and gives what it measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parent.parent
BURNISH = REPOSITORY / "build" / "bin" / "burnish"
PEERS = ("onnxruntime", "onnxruntime-nospin", "openvino")

Run = Callable[[], None]
Outputs = Callable[[], dict[str, np.ndarray]]


# A processor that was idle, a virtual one above all, is slow for a second or so.
WARM_UP_SECONDS = 1.5


def measure(
    runtime: str,
    model: Path,
    inputs: Mapping[str, Path],
    threads: int,
    seconds: float = 2.0,
    output_dir: Path | None = None,
    options: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Time `model` (or, for "burnish", an engine) in a process of its own; gives the keys of `burnish bench --json`.

    `inputs` are .npy files by input name. With `output_dir`, the outputs for them are written there as NAME.npy.
    `options` are further options of the burnish tool. Raises RuntimeError with the process's own words when it fails.
    """
    given = [f"--input={name}={path}" for name, path in inputs.items()]
    if runtime != "burnish":
        folder = [f"--output-dir={output_dir}"] if output_dir else []
        limits = [f"--threads={threads}", f"--duration-s={seconds}"]
        measured: dict[str, Any] = json.loads(_call([sys.executable, __file__, runtime, model, *given, *limits, *folder]))
        return measured

    common = [f"--threads={threads}", "--quiet", *options]
    if output_dir:
        _call([BURNISH, "run", model, *given, f"--output-dir={output_dir}", *common])
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        _call([BURNISH, "bench", model, *shapes(inputs), f"--warmup-ms={1e3 * WARM_UP_SECONDS:g}", f"--duration-s={seconds}",
               f"--json={file.name}", *common])
        measured = json.loads(Path(file.name).read_text())
    return measured


def build(model: Path, engine: Path, inputs: Mapping[str, Path], threads: int) -> None:
    """Build an engine for the shapes of these inputs; raises RuntimeError with the tool's words when it fails, or warns that
    the machine is too busy to measure on."""
    _call([BURNISH, "build", model, "-o", engine, *shapes(inputs), f"--threads={threads}", "--device=cpu"], refused="warning: ")


def shapes(inputs: Mapping[str, Path]) -> list[str]:
    """The tool's --shape options for the shapes of these .npy files."""
    return [f"--shape={n}={'x'.join(map(str, np.load(p, mmap_mode='r').shape))}" for n, p in inputs.items()]


def _call(command: list[Any], refused: str | None = None) -> str:
    """Standard output; RuntimeError with the last words where it fails or says what is `refused`."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0 or (refused and refused in done.stderr):
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise RuntimeError(f"{' '.join(map(str, command))}\nended with {done.returncode}: {words}")
    return done.stdout


def file_name(value: str) -> str:
    """The name under which a value called `value` is written: as burnish does it."""
    return value.replace("/", "_").replace(":", "_") + ".npy"


def available_threads() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


def open_onnxruntime(
    model: Path, inputs: Mapping[str, np.ndarray], threads: int, spinning: bool
) -> tuple[Run, Outputs]:
    """A run of ONNX Runtime on the CPU whose inputs and outputs stay where they are from run to run."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    names = [output.name for output in session.get_outputs()]
    for name in names:
        binding.bind_output(name)
    return (
        lambda: session.run_with_iobinding(binding),
        lambda: dict(zip(names, binding.copy_outputs_to_cpu(), strict=True)),
    )


def open_openvino(model: Path, inputs: Mapping[str, np.ndarray], threads: int) -> tuple[Run, Outputs]:
    """A run of OpenVINO on the CPU in FP32, for latency."""
    import openvino

    core = openvino.Core()
    network = core.read_model(model)
    network.reshape({name: openvino.PartialShape(list(array.shape)) for name, array in inputs.items()})
    compiled = core.compile_model(
        network,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        },
    )
    request = compiled.create_infer_request()
    for name, array in inputs.items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
    return (
        request.infer,
        lambda: {port.any_name: request.get_tensor(port).data.copy() for port in compiled.outputs},
    )


def time_runs(run: Run, warmup_s: float, duration_s: float, iterations: int) -> np.ndarray:
    """The milliseconds of each run: after `warmup_s` seconds of them, for `duration_s` and at least `iterations`."""
    end = time.perf_counter() + warmup_s
    run()
    while time.perf_counter() < end:
        run()
    times: list[float] = []
    end = time.perf_counter() + duration_s
    while len(times) < iterations or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return np.array(times)


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtime", choices=PEERS)
    parser.add_argument("model", type=Path)
    parser.add_argument("--input", action="append", required=True, metavar="NAME=FILE.npy")
    parser.add_argument("--threads", type=int, default=available_threads())
    parser.add_argument("--warmup-s", type=float, default=WARM_UP_SECONDS)
    parser.add_argument("--duration-s", type=float, default=2.0)
    parser.add_argument("--iterations", type=int, default=10, help="run at least so often")
    parser.add_argument("--output-dir", type=Path, help="write the outputs there as NAME.npy")
    arguments = parser.parse_args()

    inputs = {name: np.load(path) for name, _, path in (given.partition("=") for given in arguments.input)}
    start = time.perf_counter()
    if arguments.runtime == "openvino":
        import openvino

        version = openvino.__version__
        run, outputs = open_openvino(arguments.model, inputs, arguments.threads)
    else:
        import onnxruntime

        version = onnxruntime.__version__
        spinning = arguments.runtime == "onnxruntime"
        run, outputs = open_onnxruntime(arguments.model, inputs, arguments.threads, spinning)
    build_seconds = time.perf_counter() - start

    times = time_runs(run, arguments.warmup_s, arguments.duration_s, arguments.iterations)
    if arguments.output_dir:
        arguments.output_dir.mkdir(parents=True, exist_ok=True)
        for name, array in outputs().items():
            np.save(arguments.output_dir / file_name(name), array)
    result = {
        arguments.runtime: version,
        "model": str(arguments.model),
        "device": "cpu",
        "threads": arguments.threads,
        "shapes": {name: list(array.shape) for name, array in inputs.items()},
        "build_seconds": build_seconds,
        "iterations": len(times),
        "latency_ms": {
            "min": times.min(),
            "max": times.max(),
            "mean": times.mean(),
            **{key: np.percentile(times, q) for key, q in {"median": 50, "p90": 90, "p95": 95, "p99": 99}.items()},
        },
        "throughput_qps": 1e3 / times.mean(),
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
