#!/usr/bin/env python3
"""torch2trt's table: each model's throughput and latency in PyTorch, torch.compile and Burnish, with Burnish's errors.

    ./test.sh TEST_OUTPUT.md                          torch2trt's 21 models and its other lists
    ./test.sh TEST_OUTPUT.md --models resnet18 vgg16 timm/levit_128
    ./test.sh TEST_OUTPUT.md --timm 60                and timm's: the first of tests/timm_models.txt
    ./test.sh gpu.md --device cuda --precision fp16   (what a machine with a GPU does anyway)

writes TEST_OUTPUT.md, TEST_OUTPUT.json with every number, and TEST_OUTPUT.svg, a bar chart. They are written whole
after each model, and the same command goes on where it was stopped; --again measures its models anew. Each model is
measured in processes of its own, and one that fails gets a row with the reason.

Burnish's tuning cache and PyTorch's own caches are used: a second run builds in less time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
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


def measured(name: str, way: str, options: argparse.Namespace) -> Row:
    """What measure.py gives for one model and way, or {"failed": {way: the reason}}."""
    command = [sys.executable, str(MEASURE), way, name, f"--calls={options.calls}"]
    command += [f"--device={options.device}", f"--precision={options.precision}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        out, err = child.communicate(timeout=options.limit)
    except subprocess.TimeoutExpired:
        return {"failed": {way: f"took more than {options.limit} s"}}
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)  # PyTorch's compiling workers too
            child.communicate()
    if child.returncode == 0:
        row: Row = json.loads(out.splitlines()[-1])
        return row
    words = [line for line in err.strip().splitlines() if line.strip()]
    ended = f"ended by signal {-child.returncode}" if child.returncode < 0 else ""
    return {"failed": {way: ended or (words[-1][:500] if words else f"exit code {child.returncode}")}}


def merged(row: Row, result: Row) -> Row:
    """A row with one more way's numbers or failure."""
    failed = row.get("failed", {}) | result.get("failed", {})
    seconds = row.get("build_seconds", {}) | result.pop("build_seconds", {})
    return row | result | {"build_seconds": seconds} | ({"failed": failed} if failed else {})


def place(row: Row) -> int:
    """Where a row stands: torch2trt's models in its order, then the others as they were measured."""
    order = subjects.TABLE + subjects.OTHERS
    return order.index(row["name"]) if row["name"] in order else len(order)


def describe(row: Row) -> str:
    """A line about a row while the program runs."""
    ratios = {way: report.speed_up(row, way) for way in WAYS}
    words = [f"{way} {ratio:.2f}x" for way, ratio in ratios.items() if ratio]
    return ", ".join(words + [f"{way} failed: {reason}" for way, reason in row.get("failed", {}).items()])


def fill(state: dict[str, Any], names: list[str], options: argparse.Namespace) -> None:
    """Measure what has no numbers and no failure yet, and save after each."""
    rows = {row["name"]: row for row in state["rows"]}
    for index, name in enumerate(names):
        row = {"name": name} if options.again else rows.get(name, {"name": name})
        for way in options.ways:
            if way in row or way in row.get("failed", {}):
                continue
            print(f"[{index + 1}/{len(names)}] {name}: {way} ...", end="\r" if sys.stdout.isatty() else "\n", flush=True)
            start = time.monotonic()
            result = measured(name, way, options)
            if "build_seconds" in result:
                result["build_seconds"] = {way: round(result["build_seconds"], 1)}
            row = rows[name] = merged(row, result)
            state["rows"] = sorted(rows.values(), key=place)
            save(state, options.output)
            print(f"[{index + 1}/{len(names)}] {name}: {describe(row)} ({time.monotonic() - start:.0f} s)", flush=True)
    save(state, options.output)


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
    parser.add_argument("--again", action="store_true", help="measure anew what is in the table already")
    options = parser.parse_args()
    if options.output.suffix != ".md":
        parser.error(f"{options.output}: expected a name that ends in .md")
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    options.precision = options.precision or DEFAULT_PRECISION[options.device]
    names = list(options.models or (() if options.timm else subjects.TABLE + subjects.OTHERS))
    names += subjects.timm_subjects(options.timm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended then, too
    state = resumed(options.output, settings(options.device, options.precision, options.calls))
    try:
        fill(state, names, options)
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from {options.output.with_suffix('.json')}", file=sys.stderr)
        return 130
    print(f"wrote {options.output}", *report.means(state["rows"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
