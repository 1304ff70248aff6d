#!/usr/bin/env python3
"""Compile timm's models with Burnish and compare them with eager PyTorch on the CPU, each in a process of its own.

    scripts/timm_models.py                    every model of tests/timm_models.txt: a line for each, and the count
    scripts/timm_models.py levit_128 cait_xs24_384
    scripts/timm_models.py --count 10         the first ten
    scripts/timm_models.py --write-list       make tests/timm_models.txt anew, for the timm that is installed

A model passes when for two pictures the compiled module's output is within 1e-3 (relative L2) of eager's, and when the
two outputs differ enough for that to mean something. Weights are random (scripts/sound_weights.py). Candidates are not
timed. A model that fails is listed with the reason, which names the op. Needs scripts/setup.sh --peers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sound_weights  # noqa: E402

LIST = Path(__file__).resolve().parent.parent / "tests" / "timm_models.txt"
LENGTH = 60
MOST_PARAMETERS = 40_000_000
LARGEST_ERROR = 1e-3  # relative L2
SMALLEST_DIFFERENCE = 1e-2  # between the outputs for two pictures, relative L2
HEADER = f"""# {LENGTH} models of timm {{version}}, one a line: of each module of timm.list_modules(), in order, the first of its models
# that has under {MOST_PARAMETERS // 1_000_000} M parameters; modules without one are left out. Made by scripts/timm_models.py --write-list.
"""


def listed() -> list[str]:
    """The names in tests/timm_models.txt, in order."""
    return [line for line in LIST.read_text().splitlines() if not line.startswith("#")]


def write_list() -> None:
    """Choose the models for the timm that is installed."""
    import timm

    names: list[str] = []
    for module in timm.list_modules():
        names += [name for name in [_first_small(module)] if name]
        if len(names) == LENGTH:
            break
    LIST.write_text(HEADER.format(version=timm.__version__) + "".join(f"{name}\n" for name in names))


def _first_small(module: str) -> str | None:
    import timm

    for name in timm.list_models(module=module):
        with torch.device("meta"):
            parameters = timm.create_model(name).parameters()
        if sum(parameter.numel() for parameter in parameters) < MOST_PARAMETERS:
            return str(name)
    return None


def pictures(model: nn.Module, batch: int, seed: int) -> Tensor:
    """Smooth random pictures of the size that a timm model was made for."""
    config: Any = model.pretrained_cfg
    _, height, width = config["input_size"]
    return sound_weights.smooth_images(batch, height, width, seed)


def timm_model(name: str, seed: int = 0) -> nn.Module:
    """A timm model with sound random weights, in eval mode."""
    import timm

    torch.manual_seed(seed)
    model: nn.Module = timm.create_model(name)
    return sound_weights.make_sound(model, lambda i: (pictures(model, 2, seed=1000 + i),), seed)


def relative_error(actual: Any, expected: Any) -> float:
    """The largest relative L2 over the tensors of two outputs; infinite where one is not finite."""
    pairs = zip(sound_weights.flatten(actual), sound_weights.flatten(expected), strict=True)
    errors = [((a - b).norm() / b.norm()).item() for a, b in pairs]
    return max(error if error == error else float("inf") for error in errors)


def check(name: str) -> dict[str, float]:
    """Compile one model and compare it; raises what is wrong."""
    import burnish

    model = timm_model(name)
    first, second = pictures(model, 1, 0), pictures(model, 1, 1)
    start = time.monotonic()
    fast = burnish.compile(model, (first,), device="cpu", tune="model", tuning_cache="none", progress=False)
    seconds = time.monotonic() - start
    with torch.no_grad():
        expected = [model(first), model(second)]
        error = max(relative_error(fast(x), y) for x, y in zip((first, second), expected, strict=True))
        difference = relative_error(expected[1], expected[0])
    if not error <= LARGEST_ERROR:
        raise ValueError(f"off by {error:.1e} (relative L2), {LARGEST_ERROR:g} is the most")
    if not difference >= SMALLEST_DIFFERENCE:
        raise ValueError(f"two pictures' outputs differ by {difference:.1e} only: the weights test nothing")
    return {"error": error, "difference": difference, "seconds": seconds}


def run(name: str, limit: float = 540) -> dict[str, Any]:
    """check() in a process of its own: its numbers, or {"reason": why it fails}. `limit` is in seconds."""
    command = [sys.executable, __file__, "--here", name]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"reason": f"took more than {limit:g} s"}
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    lines = done.stderr.strip().splitlines()
    return {"reason": f"ended by signal {-done.returncode}" if done.returncode < 0 or not lines else lines[-1]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names of timm models (default: the list)")
    parser.add_argument("--count", type=int, default=LENGTH, help="only the first so many of the list")
    parser.add_argument("--write-list", action="store_true", help="make the list anew")
    parser.add_argument("--here", action="store_true", help="check one model in this process")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    if options.write_list:
        write_list()
        return 0
    if options.here:
        print(json.dumps(check(*options.models)))
        return 0
    names = options.models or listed()[: options.count]
    failed = 0
    for name in names:
        result = run(name)
        failed += "reason" in result
        words = result.get("reason") or "within {error:.1e}, compiled in {seconds:.0f} s".format(**result)
        print(f"{name:28} {words}", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
