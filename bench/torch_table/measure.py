#!/usr/bin/env python3
"""Measure one model of the table in one way, alone in its process; prints one line of JSON.

    bench/torch_table/measure.py burnish resnet18 --device cpu --precision fp32
    bench/torch_table/measure.py torch.compile resnet18 --device cuda --precision fp16

"burnish" also times eager PyTorch and compares outputs. The way of measuring is torch2trt's: throughput from a number
of calls one behind the other with one wait for the GPU at the end, latency from as many with a wait after each. Calls
run without gradients, after a warm-up. On a CPU a call returns when it is done, so that one run of calls gives both.

Of several of these processes with the same --lock FILE one at a time tunes and times; the others prepare meanwhile.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

import subjects  # noqa: E402
from sound_weights import flatten  # noqa: E402

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
WARM_UP_SECONDS = 0.5  # an idle processor is slow for a while
LEAST_WARM_UP = 3  # calls
Timing = dict[str, float]


def siblings(processor: int) -> set[int]:
    """The processors of Linux's that are threads of one core with this one, which is among them; it alone where nothing tells."""
    listed = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
    if not listed.is_file():
        return {processor}
    ranges = [part.split("-") for part in listed.read_text().split(",")]
    return {number for ends in ranges for number in range(int(ends[0]), int(ends[-1]) + 1)}


class Turn:
    """One process's turn among those that measure on this machine: it has the lock file, if there is one, from take() on.

    With a GPU, those that wait keep off one core, so that the thread that enqueues what is timed has that to itself.
    """

    def __init__(self, lock: Path | None, on_gpu: bool) -> None:
        self._lock = lock
        self._held: IO[str] | None = None
        self._processors = sorted(os.sched_getaffinity(0))
        others = set(self._processors) - siblings(self._processors[0]) if lock and on_gpu else set()
        self._keeps_off = len(others) > 0
        self.waited = 0.0  # seconds
        if self._keeps_off:
            os.sched_setaffinity(0, others)

    def take(self) -> None:
        """Waits for the turn, which comes with all processors; does nothing where it has come already."""
        if not self._lock or self._held:
            return
        start = time.monotonic()
        self._held = open(self._lock, "w")  # noqa: SIM115 - it is closed, and so unlocked, by __exit__
        fcntl.flock(self._held, fcntl.LOCK_EX)
        self.waited = time.monotonic() - start
        if self._keeps_off:
            os.sched_setaffinity(0, self._processors)

    def pin(self) -> None:
        """What is timed follows."""
        self.take()
        if self._keeps_off:
            os.sched_setaffinity(0, self._processors[:1])

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._held.close()


def timed(call: Callable[[], object], count: int, on_gpu: bool) -> Timing:
    """Calls a second, and the milliseconds of one call, from `count` calls each."""
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    start, done = time.perf_counter(), 0
    while done < LEAST_WARM_UP or time.perf_counter() - start < WARM_UP_SECONDS:
        call()
        wait()
        done += 1

    def seconds(after_each: Callable[[], object]) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            call()
            after_each()
        wait()
        return (time.perf_counter() - begin) / count

    one_by_one = seconds(wait)
    return {"throughput": 1 / (seconds(lambda: None) if on_gpu else one_by_one), "latency_ms": 1000 * one_by_one}


def largest_difference(actual: Any, expected: Any) -> float:
    """torch2trt's "max error": the largest absolute difference of any two elements."""
    pairs = zip(flatten(actual), flatten(expected), strict=True)
    return float(max((a.double() - b.double()).abs().max().item() for a, b in pairs))


def relative_l2(actual: Any, expected: Any) -> float:
    """The largest relative L2 of any output."""
    pairs = zip(flatten(actual), flatten(expected), strict=True)
    return float(max(((a.double() - b.double()).norm() / b.double().norm()).item() for a, b in pairs))


def measure_burnish(model: nn.Module, x: tuple[Tensor, ...], precision: str, count: int, turn: Turn) -> dict[str, Any]:
    """Eager PyTorch and Burnish on the same module and input, where they lie; and what both gave, on the CPU in FP32."""
    import burnish

    on_gpu = x[0].is_cuda
    start = time.monotonic()
    # The first word of progress comes when the module is exported; what follows times its candidates.
    fast = burnish.compile(model, x, precision=precision, device="cuda" if on_gpu else "cpu", progress=lambda *_: turn.take())
    result: dict[str, Any] = {"build_seconds": time.monotonic() - start - turn.waited}
    turn.pin()
    for way, call in (("pytorch", model), ("burnish", fast)):
        result[f"{way}_outputs"] = [tensor.to("cpu", torch.float32) for tensor in flatten(call(*x))]
        result[way] = timed(lambda: call(*x), count, on_gpu)
    return result


def measure_torch_compile(model: nn.Module, x: tuple[Tensor, ...], count: int, turn: Turn) -> dict[str, Any]:
    """torch.compile with its defaults."""
    fast = torch.compile(model)
    start = time.monotonic()
    fast(*x)
    seconds = time.monotonic() - start
    turn.pin()
    return {"build_seconds": seconds, "torch.compile": timed(lambda: fast(*x), count, x[0].is_cuda)}


def measure(way: str, name: str, device: str, precision: str, count: int, turn: Turn) -> dict[str, Any]:
    """The numbers of one model measured in one way; raises what goes wrong."""
    # A fair FP32 is FP32: PyTorch's convolutions would take TF32 unasked.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    dtype = DTYPES[precision]
    model = subjects.make(name)
    given = tuple(x.to(dtype) for x in subjects.inputs(name, model, seed=0))
    exact = model(*(x.float() for x in given))
    model, x = model.to(device, dtype), tuple(tensor.to(device) for tensor in given)
    result: dict[str, Any] = {"shapes": [list(tensor.shape) for tensor in x], "dtype": str(dtype).removeprefix("torch.")}
    if way == "torch.compile":
        return result | measure_torch_compile(model, x, count, turn)
    result |= measure_burnish(model, x, precision, count, turn)
    outputs, eager = (result.pop(key) for key in ("burnish_outputs", "pytorch_outputs"))
    result["max_error"] = largest_difference(outputs, eager)
    result["relative_l2"] = relative_l2(outputs, exact)
    result["pytorch_relative_l2"] = relative_l2(eager, exact)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=("burnish", "torch.compile"))
    parser.add_argument("model", help="torchvision's name, or timm/NAME")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="fp32", choices=tuple(DTYPES))
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--lock", type=Path, metavar="FILE")
    options = parser.parse_args()
    with torch.no_grad(), Turn(options.lock, options.device == "cuda") as turn:
        print(json.dumps(measure(options.way, options.model, options.device, options.precision, options.calls, turn)))


if __name__ == "__main__":
    main()
