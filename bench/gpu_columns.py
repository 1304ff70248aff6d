#!/usr/bin/env python3
"""Measure a model in PyTorch's ways on the GPU, after exporting what Burnish reads of it.

    bench/gpu_columns.py resnet50:1 --scratch DIR

takes a model with its batch and prints a line of JSON for "export" and for each column: eager, and torch.compile's forms; what
fails gives {"failed": words}. Inputs and outputs are FP16 tensors (token ids: int64) on the device. `latency_ms` is one call
with one synchronize by the host's clock; `device_ms` the time between two CUDA events round a call that was enqueued while the
device was kept busy, so that what the host does for a call does not count; both are medians over at least 50 calls and 0.3 s
after warm-up. `error` is the relative L2 against the FP32 module with TF32 off. `device_bytes` is what torch.compile holds of the
device beyond weights, inputs and outputs: the pools of its CUDA graphs, which are nobody else's between their replays, and what
else it allocated and kept. `built` is when compiling began and ended, by time.monotonic().

With --in-turns it prints {"ready": true} and waits for a line before it measures, and prints {"measured": true} after that: what
comes between (exporting, compiling) may run beside that of other models (bench/turns.py).
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._inductor.config
import torch._inductor.cudagraph_trees
from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "scripts"))

import onnx  # noqa: E402
import onnx_in_torch  # noqa: E402
import sound_weights  # noqa: E402
from export_models import MODELS, TORCH2TRT, Model, text  # noqa: E402
from fetch_models import models_folder  # noqa: E402

FORMS = ("nchw", "channels_last", "freezing")
BUSY_CYCLES = 2_000_000  # of the device, about 1 ms: more than the host needs for a call of a compiled module
Call = Callable[[], Any]


def random_minilm() -> nn.Module:
    """An encoder of MiniLM's shape (6 layers, 384 wide) with sound random weights."""
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    tokens = sound_weights.tokens
    return sound_weights.make_sound(
        sound_weights.TextModel(transformers.BertModel(config)),
        lambda i: tokens(2, 128, sound_weights.BERT_VOCABULARY, seed=1000 + i),
    )


SUBJECTS: dict[str, Model] = {**MODELS, **TORCH2TRT, "minilm": text(random_minilm, real_weights=False)}


FILES = {"ppocr_det": ("PP-OCRv6_det_small.onnx", (3, 640, 640)), "ppocr_rec": ("PP-OCRv6_rec_small.onnx", (3, 48, 320))}


def halves(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """On the device, floats as FP16."""
    return tuple(t.cuda().half() if t.is_floating_point() else t.cuda() for t in tensors)


def enough(start: float, count: int) -> bool:
    """At least 50 calls and 0.3 s; or, of slow ones, 5 seconds."""
    spent = time.perf_counter() - start
    return count >= 50 and spent > 0.3 or spent > 5


def median_times(call: Call) -> dict[str, float]:
    """`latency_ms` and `device_ms` of a call that enqueues on the current stream."""
    for _ in range(10):
        call()
    torch.cuda.synchronize()
    latency: list[float] = []
    begin = time.perf_counter()
    while not enough(begin, len(latency)):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        latency.append(1e3 * (time.perf_counter() - start))
    device: list[float] = []
    begin = time.perf_counter()
    while not enough(begin, len(device)):
        events = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(BUSY_CYCLES)
        events[0].record()
        call()
        events[1].record()
        events[1].synchronize()
        device.append(events[0].elapsed_time(events[1]))
    return {"latency_ms": float(np.median(latency)), "device_ms": float(np.median(device))}


def error_of(outputs: Any, expected: list[Tensor]) -> float:
    """The largest relative L2 over the outputs; NaN counts as infinite."""
    largest = 0.0
    for got, wanted in zip(sound_weights.flatten(outputs), expected, strict=True):
        error = ((got.double().cpu() - wanted.double()).norm() / wanted.double().norm()).item()
        largest = max(largest, error if error == error else float("inf"))
    return largest


def captured(module: nn.Module, inputs: tuple[Tensor, ...]) -> Call:
    """The module's run as a replay of a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            module(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        module(*inputs)
    replay: Call = graph.replay
    return replay


def arranged(module: nn.Module, inputs: tuple[Tensor, ...], memory: torch.memory_format) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module, in place, and images in that memory format."""
    moved = tuple(t.to(memory_format=memory) if t.dim() == 4 else t for t in inputs)
    return module.to(memory_format=memory), moved


def eager(module: nn.Module, inputs: tuple[Tensor, ...], expected: list[Tensor]) -> dict[str, Any]:
    """PyTorch as it is, and the faster layout of a CUDA graph of it."""
    result: dict[str, Any] = {"error": error_of(module(*inputs), expected), "eager": median_times(lambda: module(*inputs))}
    graphs = [graph_times(module, inputs)]
    if any(t.dim() == 4 for t in inputs):
        graphs.append(graph_times(*arranged(module, inputs, torch.channels_last)))
    result["graph"] = min(graphs, key=lambda times: times.get("device_ms", float("inf")))
    return result


def graph_times(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """Of eager in a CUDA graph; modules that copy from the host during a run have none."""
    try:
        return median_times(captured(module, inputs))
    except RuntimeError as error:
        return failure(error)


def forget_compiled() -> None:
    """Drop what torch.compile has made so far, with its CUDA graphs."""
    torch._dynamo.reset()
    torch._inductor.cudagraph_trees.reset_cudagraph_trees()
    gc.collect()
    torch.cuda.empty_cache()


def held_bytes() -> int:
    """Of the device: whole pools of CUDA graphs, and elsewhere what is allocated."""
    gc.collect()
    torch.cuda.empty_cache()
    return sum(s["allocated_size" if tuple(s["segment_pool_id"]) == (0, 0) else "total_size"] for s in torch.cuda.memory_snapshot())


class Compiled:
    """torch.compile(mode="reduce-overhead") of one form, with the seconds that its first calls took."""

    def __init__(self, form: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        forget_compiled()
        self.module, self.inputs = arranged(module, inputs, torch.contiguous_format if form == "nchw" else torch.channels_last)
        self.held = held_bytes()
        self.run = torch.compile(self.module, mode="reduce-overhead")
        start = time.monotonic()
        with torch._inductor.config.patch(freezing=form == "freezing"):
            for _ in range(3):
                self.outputs = self.run(*self.inputs)
        torch.cuda.synchronize()
        self.built = start, time.monotonic()

    def measure(self, expected: list[Tensor]) -> dict[str, Any]:
        """The column of this form."""
        error = error_of(self.outputs, expected)
        times = median_times(lambda: self.run(*self.inputs))
        beyond = held_bytes() - self.held - sum(t.nbytes for t in sound_weights.flatten(self.outputs))
        return {**times, "error": error, "build_seconds": self.built[1] - self.built[0], "built": self.built, "device_bytes": beyond}


def write_export(model: Model, module: nn.Module, inputs: tuple[Tensor, ...], expected: list[Tensor], folder: Path) -> None:
    """model.onnx in FP16, its inputs as NAME.npy, and what FP32 PyTorch gives for them as expected/NAME.npy."""
    (folder / "expected").mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        module, inputs, folder / "model.onnx", dynamo=True, opset_version=18, external_data=False, verbose=False,
        input_names=model.input_names, output_names=model.output_names,
    )  # fmt: skip
    for name, tensor in zip(model.input_names, inputs, strict=True):
        np.save(folder / f"{name}.npy", tensor.cpu().numpy())
    for name, tensor in zip(model.output_names, expected, strict=True):
        np.save(folder / "expected" / f"{name}.npy", tensor.numpy())


def write_file(model: onnx.ModelProto, inputs: tuple[Tensor, ...], expected: list[Tensor], folder: Path) -> None:
    """As write_export(), of a model that is ONNX already; it and its inputs stay FP32."""
    (folder / "expected").mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    for value, tensor in zip(model.graph.input, inputs, strict=True):
        np.save(folder / f"{value.name}.npy", tensor.cpu().numpy())
    for value, tensor in zip(model.graph.output, expected, strict=True):
        np.save(folder / "expected" / f"{value.name}.npy", tensor.numpy())


@dataclass
class Subject:
    """A module in FP16 with its inputs, what it gives for them in FP32, and what Burnish needs to be told to build its export."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    expected: list[Tensor]
    options: list[str]


def outputs_of(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """On the host, in FP32."""
    return [t.float().cpu() for t in sound_weights.flatten(module(*(t.cuda() for t in inputs)))]


def export(name: str, batch: int, folder: Path) -> Subject:
    """Makes the subject and exports it into the folder."""
    if name in FILES:
        file, sizes = FILES[name]
        read = onnx_in_torch.with_shape(models_folder() / file, (batch, *sizes))
        module, inputs = onnx_in_torch.as_module(read).cuda(), (onnx_in_torch.smooth_input((batch, *sizes)),)
        expected = outputs_of(module, inputs)
        write_file(read, inputs, expected, folder)
        module, inputs = module.half(), halves(inputs)
        return Subject(onnx_in_torch.as_one_graph(module, inputs), inputs, expected, ["--precision=fp16"])
    model = SUBJECTS[name]
    model = replace(model, shape=(batch, *model.shape[1:]))
    module, inputs = model.make().cuda().eval(), model.inputs(model.shape, 1)
    expected = outputs_of(module, inputs)
    module, inputs = module.half(), halves(inputs)
    write_export(model, module, inputs, expected, folder)
    return Subject(module, inputs, expected, [])


def failure(error: Exception) -> dict[str, Any]:
    """A column that has none."""
    return {"failed": f"{type(error).__name__}: {error}"[-400:]}


def measure(in_turns: bool, column: str, work: Callable[[], dict[str, Any]]) -> None:
    """Report the column when it is this process's turn."""
    if in_turns:
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
    report(column, work)
    if in_turns:
        print(json.dumps({"measured": True}), flush=True)


def report(column: str, work: Callable[[], dict[str, Any]]) -> None:
    """Print the column, or the last words of what failed."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001: any failure is that column's result
        result = failure(error)
    print(json.dumps({"column": column, **result}), flush=True)


def compile_and_measure(in_turns: bool, form: str, subject: Subject) -> None:
    """The column of a form of torch.compile, of which nothing stays."""
    try:
        made = Compiled(form, subject.module, subject.inputs)
    except Exception as error:  # noqa: BLE001: any failure is that column's result
        words = failure(error)
        report(f"compile-{form}", lambda: words)
        return
    measure(in_turns, f"compile-{form}", lambda: made.measure(subject.expected))


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help=f"NAME:BATCH; {' '.join(sorted([*SUBJECTS, *FILES]))}")
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--in-turns", action="store_true")
    arguments = parser.parse_args()

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.set_grad_enabled(False)
    name, _, batch = arguments.model.partition(":")
    subject = export(name, int(batch or 1), arguments.scratch / f"{name}_b{batch or 1}")
    report("export", lambda: {"options": subject.options})
    measure(arguments.in_turns, "eager", lambda: eager(subject.module, subject.inputs, subject.expected))
    for form in FORMS:
        compile_and_measure(arguments.in_turns, form, subject)
    return 0


if __name__ == "__main__":
    sys.exit(main())
