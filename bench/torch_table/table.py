#!/usr/bin/env python3
"""torch2trt's table: each model's throughput and latency in PyTorch, torch.compile and Burnish, with Burnish's errors.

    ./test.sh TEST_OUTPUT.md                          torch2trt's 21 models and its other lists
    ./test.sh TEST_OUTPUT.md --models resnet18 vgg16 timm/levit_128
    ./test.sh TEST_OUTPUT.md --timm 60                and timm's: the first of tests/timm_models.txt
    ./test.sh gpu.md --device cuda --precision fp16   (what a machine with a GPU does anyway)

writes TEST_OUTPUT.md, TEST_OUTPUT.json with every number, and TEST_OUTPUT.svg, a bar chart. They are written whole
after each model, and the same command goes on where it was stopped; --again measures its models anew. Each model is
measured in processes of its own, and one that fails gets a row with the reason.

Burnish's tuning cache and PyTorch's own caches are used: a second run builds in less time. On a GPU, --jobs 8 prepares
eight models at once; they take turns to tune and to be timed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import report
import subjects

Row = dict[str, Any]

MEASURE = Path(__file__).resolve().parent / "measure.py"
WAYS = ("burnish", "torch.compile")
DEFAULT_PRECISION = {"cpu": "fp32", "cuda": "fp16"}


def chip(device: str) -> str:
    """The name of the processor or GPU."""
    import torch

    if device == "cuda":
        return str(torch.cuda.get_device_name())
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def versions(device: str) -> dict[str, str]:
    """Of all that is measured."""
    import torch

    import burnish

    found = {"Burnish": burnish.__version__} | {name: version(name) for name in ("torch", "torchvision", "timm")}
    return found | ({"CUDA": str(torch.version.cuda)} if device == "cuda" else {})


def settings(device: str, precision: str, calls: int) -> dict[str, Any]:
    """What all rows of one table share."""
    import torch

    facts = {"device": device, "precision": precision, "calls": calls, "chip": chip(device), "threads": torch.get_num_threads()}
    return facts | {"versions": versions(device)}


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text)
    os.replace(beside, path)


def save(state: dict[str, Any], output: Path) -> None:
    """The state, and the page and chart made of it."""
    state["date"] = datetime.now(timezone.utc).date().isoformat()
    chart = output.with_suffix(".svg")
    write(output.with_suffix(".json"), json.dumps(state, indent=1) + "\n")
    write(chart, report.svg(state))
    write(output, report.markdown(state, chart.name))


def resumed(output: Path, shared: dict[str, Any]) -> dict[str, Any]:
    """The state beside `output`, or a new one; ends the program where it was measured otherwise."""
    file = output.with_suffix(".json")
    if not file.exists():
        return shared | {"rows": []}
    state: dict[str, Any] = json.loads(file.read_text())
    for key, value in shared.items():
        if state.get(key) != value:
            sys.exit(f"{file}: was measured with {key} {state.get(key)}, not {value}: remove it, or write to another file")
    return state


def merged(row: Row, result: Row) -> Row:
    """A row with one more way's numbers or failure."""
    failed = row.get("failed", {}) | result.get("failed", {})
    seconds = row.get("build_seconds", {}) | result.get("build_seconds", {})
    return row | result | ({"build_seconds": seconds} if seconds else {}) | ({"failed": failed} if failed else {})


def place(row: Row) -> int:
    """Where a row stands: torch2trt's models in its order, then the others as they were measured."""
    order = subjects.TABLE + subjects.OTHERS
    return order.index(row["name"]) if row["name"] in order else len(order)


def describe(row: Row) -> str:
    """A line about a row while the program runs."""
    ratios = {way: report.speed_up(row, way) for way in WAYS}
    words = [f"{way} {ratio:.2f}x" for way, ratio in ratios.items() if ratio]
    return ", ".join(words + [f"{way} failed: {reason}" for way, reason in row.get("failed", {}).items()])


class Table:
    """A table while it is filled: its rows, and the processes that measure."""

    def __init__(self, state: dict[str, Any], options: argparse.Namespace) -> None:
        self._state = state
        self._options = options
        self._rows: dict[str, Row] = {row["name"]: row for row in state["rows"]}
        self._lock = threading.Lock()  # of all of these
        self._children: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def fill(self, names: list[str]) -> None:
        """Measure what has no numbers and no failure yet, and save after each; ends its processes when it is interrupted."""
        with ThreadPoolExecutor(self._options.jobs) as pool:
            jobs = [pool.submit(self._fill_row, name, f"[{index + 1}/{len(names)}]") for index, name in enumerate(names)]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                with self._lock:
                    self._stopped = True
                    for child in self._children:
                        end(child)
                pool.shutdown(cancel_futures=True)
                raise
            finally:
                self._options.output.with_suffix(".lock").unlink(missing_ok=True)
        save(self._state, self._options.output)

    def _fill_row(self, name: str, place_in_list: str) -> None:
        row = {"name": name} if self._options.again else self._rows.get(name, {"name": name})
        for way in self._options.ways:
            if way in row or way in row.get("failed", {}):
                continue
            print(f"{place_in_list} {name}: {way} ...", flush=True)
            start = time.monotonic()
            result = self._measured(name, way)
            with self._lock:
                if self._stopped:
                    return
                row = self._rows[name] = merged(row, result)
                self._state["rows"] = sorted(self._rows.values(), key=place)
                save(self._state, self._options.output)
            print(f"{place_in_list} {name}: {describe(row)} ({time.monotonic() - start:.0f} s)", flush=True)

    def _measured(self, name: str, way: str) -> Row:
        """What measure.py gives for one model and way, or {"failed": {way: the reason}}."""
        options = self._options
        command = [sys.executable, str(MEASURE), way, name, f"--calls={options.calls}"]
        command += [f"--device={options.device}", f"--precision={options.precision}", f"--lock={options.output.with_suffix('.lock')}"]
        with self._lock:
            if self._stopped:
                return {}
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
            self._children.add(child)
        try:
            out, err = child.communicate(timeout=options.limit)
        except subprocess.TimeoutExpired:
            end(child)
            child.communicate()
            return {"failed": {way: f"took more than {options.limit} s"}}
        finally:
            with self._lock:
                self._children.discard(child)
        if child.returncode == 0:
            row: Row = json.loads(out.splitlines()[-1])
            return row | {"build_seconds": {way: round(row["build_seconds"], 1)}}
        return {"failed": {way: reason(child.returncode, err)}}


def end(child: subprocess.Popen[str]) -> None:
    """Kill a process and those that it started: PyTorch's compiling workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def reason(code: int, errors: str) -> str:
    """Why a process failed, in a line."""
    if code < 0:
        return f"ended by signal {-code}"
    words = [line for line in errors.splitlines() if line.strip()]
    return words[-1].strip()[:500] if words else f"exit code {code}"


def main() -> int:
    import torch

    parser = argparse.ArgumentParser(prog="./test.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the table, NAME.md; NAME.json and NAME.svg are written beside it")
    parser.add_argument("--device", choices=tuple(DEFAULT_PRECISION), help="default: cuda where a GPU is")
    parser.add_argument("--precision", choices=("fp32", "tf32", "fp16", "bf16"), help="default: fp16 on a GPU, fp32 on the CPU")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="these only: torchvision's names, or timm/NAME")
    parser.add_argument("--timm", type=int, default=0, metavar="N", help="and the first N models of tests/timm_models.txt")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="what to measure (burnish: eager PyTorch too)")
    parser.add_argument("--calls", type=int, default=50, help="calls that are timed (default: %(default)s, as torch2trt's)")
    parser.add_argument("--limit", type=int, default=600, metavar="S", help="seconds for one model in one way, its build included (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="models at once (default: %(default)s)")
    parser.add_argument("--again", action="store_true", help="measure anew what is in the table already")
    options = parser.parse_args()
    if options.output.suffix != ".md":
        parser.error(f"{options.output}: expected a name that ends in .md")
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    options.precision = options.precision or DEFAULT_PRECISION[options.device]
    names = list(options.models or (() if options.timm else subjects.TABLE + subjects.OTHERS))
    names += subjects.timm_subjects(options.timm)
    if options.jobs < 1:
        parser.error("--jobs: expected 1 or more")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended then, too
    state = resumed(options.output, settings(options.device, options.precision, options.calls))
    try:
        Table(state, options).fill(names)
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from {options.output.with_suffix('.json')}", file=sys.stderr)
        return 130
    print(f"wrote {options.output}", *report.means(state["rows"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
