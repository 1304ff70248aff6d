"""What a call costs beside the network: burnish.compile's module against the C++ Session's run, and torch.compile with
backend="burnish" against the same module under a backend that does nothing. Medians of thousands of calls of a tiny
network, in turns.

    PYTHONPATH=build/python python bench/call_overhead.py [--session build/bin/session_call] [--calls 4000]
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import burnish

OPTIONS: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none", "threads": 1}
TURNS = 4


def medians(ways: dict[str, Callable[[], Any]], calls: int) -> dict[str, float]:
    """Microseconds a call, for each way; the ways take turns."""
    times: dict[str, list[int]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            for _ in range(200):
                way()
            for _ in range(calls // TURNS):
                start = time.perf_counter_ns()
                way()
                times[name].append(time.perf_counter_ns() - start)
    return {name: statistics.median(each) / 1e3 for name, each in times.items()}


def session_us(module: burnish.Module, tool: str, calls: int) -> float:
    """The median of Session::run in C++."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Path(folder, "model.burnish")
        module.save(engine)
        return float(subprocess.run([tool, str(engine), str(calls)], check=True, capture_output=True, text=True).stdout)


def unchanged(graph: torch.fx.GraphModule, example_inputs: Any) -> Any:
    """A backend that does nothing."""
    return graph.forward


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--session", default="build/bin/session_call", help="the program that times Session::run")
    parser.add_argument("--calls", type=int, default=4000, help="of each way")
    arguments = parser.parse_args()
    network = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16)).eval()
    x = torch.rand(4, 16)
    with torch.no_grad():
        fast = burnish.compile(network, (x,), **OPTIONS)
        under_burnish = torch.compile(network, backend="burnish", options=OPTIONS)
        under_burnish(x)
        torch.compiler.reset()  # each wrapper has the graphs of its own backend
        under_nothing = torch.compile(network, backend=unchanged)
        ways = {"eager": lambda: network(x), "module": lambda: fast(x), "nothing": lambda: under_nothing(x), "burnish": lambda: under_burnish(x)}
        found = medians(ways, arguments.calls)
    session = session_us(fast, arguments.session, arguments.calls)
    print(f"PyTorch {torch.__version__}, one thread, medians of {arguments.calls} calls, us")
    print(f"eager                              {found['eager']:6.1f}")
    print(f"the C++ Session's run              {session:6.1f}")
    print(f"burnish.compile's module           {found['module']:6.1f}  {found['module'] - session:+.1f} over the Session (at most +15)")
    print(f"torch.compile, backend of nothing  {found['nothing']:6.1f}")
    print(f"torch.compile, backend='burnish'   {found['burnish']:6.1f}  {found['burnish'] - found['nothing']:+.1f} over nothing (at most +20)")


if __name__ == "__main__":
    main()
