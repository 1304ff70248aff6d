#!/usr/bin/env python3
"""Measure models in one of PyTorch's ways on the GPU, after "export" has made them and written what Burnish reads.

    bench/gpu_columns.py export resnet50:1 bert_base:32 --scratch DIR
    bench/gpu_columns.py eager resnet50:1 bert_base:32 --scratch DIR
    bench/gpu_columns.py compile-nchw resnet50:1 --scratch DIR

takes models with their batches and prints one line of JSON for each; a model that fails gives {"failed": words}. Inputs and
outputs are FP16 tensors (token ids: int64) on the device. `latency_ms` is one call with one synchronize by the host's clock,
`device_ms` the time between two CUDA events round a call; both are medians over at least 50 calls and 0.3 s after
warm-up. `error` is the relative L2 against the FP32 module with TF32 off.

Who measures holds the lock file DIR/gpu.lock alone, who compiles shares it: nothing compiles while something is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "scripts"))

import sound_weights  # noqa: E402
from export_models import MODELS, TORCH2TRT, Model, text  # noqa: E402

COLUMNS = ("export", "eager", "compile-nchw", "compile-channels_last", "compile-freezing")
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


@contextlib.contextmanager
def locked(scratch: Path, how: int) -> Iterator[None]:
    """Hold the machine's lock: fcntl.LOCK_EX to measure, fcntl.LOCK_SH to compile."""
    with open(scratch / "gpu.lock", "w") as file:
        fcntl.flock(file, how)
        yield


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


def channels_last(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Both in NHWC memory."""
    moved = tuple(t.to(memory_format=torch.channels_last) if t.dim() == 4 else t for t in inputs)
    return module.to(memory_format=torch.channels_last), moved


def eager(module: nn.Module, inputs: tuple[Tensor, ...], expected: list[Tensor], scratch: Path) -> dict[str, Any]:
    """PyTorch as it is, and the faster layout of a CUDA graph of it."""
    with locked(scratch, fcntl.LOCK_EX):
        result: dict[str, Any] = {"error": error_of(module(*inputs), expected), "eager": median_times(lambda: module(*inputs))}
        graphs = [median_times(captured(module, inputs))]
        if any(t.dim() == 4 for t in inputs):
            graphs.append(median_times(captured(*channels_last(module, inputs))))
    result["graph"] = min(graphs, key=lambda times: times["device_ms"])
    return result


def compiled(
    form: str, module: nn.Module, inputs: tuple[Tensor, ...], expected: list[Tensor], scratch: Path
) -> dict[str, Any]:
    """torch.compile(mode="reduce-overhead") of one form, with the seconds that its first calls took."""
    import torch._inductor.config

    torch._inductor.config.freezing = form == "freezing"
    if form != "nchw":
        module, inputs = channels_last(module, inputs)
    run = torch.compile(module, mode="reduce-overhead")
    held = sum(p.nbytes for p in [*module.parameters(), *module.buffers()]) + sum(t.nbytes for t in inputs)
    with locked(scratch, fcntl.LOCK_SH):
        start = time.perf_counter()
        for _ in range(3):
            outputs = run(*inputs)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    error = error_of(outputs, expected)
    torch.cuda.reset_peak_memory_stats()
    with locked(scratch, fcntl.LOCK_EX):
        times = median_times(lambda: run(*inputs))
    peak = torch.cuda.max_memory_allocated() - held
    return {**times, "error": error, "build_seconds": seconds, "peak_bytes": peak}


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


@dataclass
class Subject:
    """A model with its batch, and the folder in which what belongs to it lies."""

    name: str
    batch: int
    scratch: Path

    @property
    def folder(self) -> Path:
        """Of the export; the module, its inputs and what it should give are in module.pt."""
        return self.scratch / f"{self.name}_b{self.batch}"

    def export(self) -> dict[str, Any]:
        """Make the module and its inputs, compute in FP32 what it should give, and export it in FP16."""
        model = SUBJECTS[self.name]
        model = replace(model, shape=(self.batch, *model.shape[1:]))
        module = model.make().cuda().eval()
        inputs = model.inputs(model.shape, 1)
        expected = [t.float().cpu() for t in sound_weights.flatten(module(*(t.cuda() for t in inputs)))]
        module, inputs = module.half(), halves(inputs)
        write_export(model, module, inputs, expected, self.folder)
        torch.save((module, inputs, expected), self.folder / "module.pt")
        return {}

    def measure(self, column: str) -> dict[str, Any]:
        """One of the columns behind "export"."""
        module, inputs, expected = torch.load(self.folder / "module.pt", weights_only=False)
        if column == "eager":
            return eager(module, inputs, expected, self.scratch)
        return compiled(column.removeprefix("compile-"), module, inputs, expected, self.scratch)


def attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The work's result, or its last words."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001: any failure is that model's result
        return {"failed": f"{type(error).__name__}: {error}"[-400:]}


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("column", choices=COLUMNS)
    parser.add_argument("model", nargs="+", help=f"NAME:BATCH; {' '.join(sorted(SUBJECTS))}")
    parser.add_argument("--scratch", type=Path, required=True)
    arguments = parser.parse_args()

    arguments.scratch.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.set_grad_enabled(False)
    for text in arguments.model:
        name, _, batch = text.partition(":")
        subject = Subject(name, int(batch or 1), arguments.scratch)
        work = subject.export if arguments.column == "export" else lambda: subject.measure(arguments.column)  # noqa: B023: called at once
        print(json.dumps(attempt(work)), flush=True)
        torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
