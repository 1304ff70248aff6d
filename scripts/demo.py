#!/usr/bin/env python3
"""What ./demo does once Burnish is built: read a photographed page, and time its two networks beside ONNX Runtime.

Optimises the PP-OCR detector and recogniser with the burnish tool, reads the page with the engines, prints the text,
then a table: each network's median time under Burnish and under ONNX Runtime (spinning or not, the faster taken) on
the same threads, each runtime alone in its process, taking turns, and the largest difference between their outputs.
Where `burnish devices` shows a GPU, the table gets its columns too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("scripts", "bench", "examples/read_page")]

import page_reader  # noqa: E402
import runtimes  # noqa: E402
from fetch_models import models_folder  # noqa: E402

SCRATCH = REPOSITORY / "build" / "demo"


@dataclass(frozen=True)
class Network:
    """One network of the demo: its model, an engine of it per device, and the input that the page gave it."""

    model: Path
    engines: dict[str, Path]
    input_file: Path
    options: tuple[str, ...]  # for every build

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Optimise for this input's shape and every device here, keep the input, and run it on the first device."""
        self.input_file.parent.mkdir(parents=True, exist_ok=True)
        np.save(self.input_file, array)
        shape = "x".join(map(str, array.shape))
        for device, engine in self.engines.items():
            print(f"optimising {self.model.name} for {device}, input {shape}", flush=True)
            burnish("build", self.model, "-o", engine, f"--device={device}", f"--shape=x={shape}", *self.options)
        device, engine = next(iter(self.engines.items()))
        outputs = self.input_file.parent / device
        burnish("run", engine, f"--device={device}", f"--input=x={self.input_file}", f"--output-dir={outputs}", "--quiet")
        return the_output(outputs)


def burnish(*arguments: str | Path) -> None:
    """Run the burnish tool, its output shown; raises CalledProcessError when it fails."""
    subprocess.run([runtimes.BURNISH, *arguments], check=True)


def the_output(folder: Path) -> np.ndarray:
    """The one output that a run has written into `folder`."""
    [path] = folder.glob("*.npy")
    array: np.ndarray = np.load(path)
    return array


def devices() -> list[str]:
    """The devices to show: the CPU, and the first GPU if there is one."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    listing = SCRATCH / "devices.json"
    subprocess.run([runtimes.BURNISH, "devices", f"--json={listing}"], check=True, stdout=subprocess.DEVNULL)
    names = [device["device"] for device in json.loads(listing.read_text())["devices"]]
    return ["cpu", *[name for name in names if name.startswith("cuda")][:1]]


def compare(network: Network, threads: int, turns: int, seconds: float) -> list[str]:
    """One row of the table: the network, its input, then times and largest differences."""
    times: dict[str, list[float]] = {}
    inputs = {"x": network.input_file}
    folder = network.input_file.parent
    for _ in range(turns):
        for device, engine in network.engines.items():
            options = (f"--device={device}",)
            measured = runtimes.measure("burnish", engine, inputs, threads, seconds, folder / device, options)
            times.setdefault(device, []).append(measured["latency_ms"]["median"])
        for peer in ("onnxruntime", "onnxruntime-nospin"):
            measured = runtimes.measure(peer, network.model, inputs, threads, seconds, folder / "onnxruntime")
            times.setdefault(peer, []).append(measured["latency_ms"]["median"])
    median = {name: float(np.median(values)) for name, values in times.items()}
    peer_time = min(median["onnxruntime"], median["onnxruntime-nospin"])
    expected = the_output(folder / "onnxruntime")
    row = [network.model.stem, "x".join(map(str, np.load(network.input_file, mmap_mode="r").shape)), f"{peer_time:.2f} ms"]
    for device in network.engines:
        difference = float(np.abs(the_output(folder / device) - expected).max())
        row += [f"{median[device]:.2f} ms", f"{peer_time / median[device]:.2f}x", f"{difference:.1e}"]
    return row


def print_table(rows: list[list[str]]) -> None:
    """Print rows in columns, the first row as heading; the first two columns to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        print("  ".join(cells).rstrip())


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=runtimes.available_threads())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="per turn and runtime")
    parser.add_argument("--precision", help="what Burnish may use beside FP32, as its option says")
    parser.add_argument("--tune", choices=["measure", "model"], help="model: take kernels untimed")
    arguments = parser.parse_args()

    options = tuple(f"--{name}={value}" for name in ("precision", "tune") if (value := getattr(arguments, name)))
    shown = devices()
    models = models_folder()
    detector, recogniser = (
        Network(
            models / f"PP-OCRv6_{name}_small.onnx",
            {device: SCRATCH / f"{name}_{device.replace(':', '_')}.burnish" for device in shown},
            SCRATCH / name / "x.npy",
            options,
        )
        for name in ("det", "rec")
    )
    metadata = {p.key: p.value for p in onnx.load(recogniser.model).metadata_props}
    page = page_reader.enlarged(Image.open(models / "images" / "page.png"))
    lines = page_reader.read_page(page, detector, recogniser, page_reader.characters_of(metadata["character"]))

    print("\nThe page says:\n")
    for line in lines:
        print(f"    {line.text}")
    print(f"\nTiming, {arguments.threads} threads ...\n", flush=True)
    heading = ["network", "input", "ONNX Runtime"]
    for device in shown:
        name = "Burnish" if device == "cpu" else f"Burnish {device}"
        heading += [name, "faster by", "largest difference"]
    rows = [compare(network, arguments.threads, arguments.turns, arguments.seconds) for network in (detector, recogniser)]
    print_table([heading, *rows])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: `{' '.join(map(str, error.cmd))}` ended with {error.returncode}")
