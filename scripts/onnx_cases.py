#!/usr/bin/env python3
"""Write the node and simple test cases of the installed `onnx` package as folders that `burnish conformance` reads.

    scripts/onnx_cases.py        into build/onnx-cases/{node,simple}/

Each case is a folder in the layout of ONNX's backend tests: model.onnx and test_data_set_0/{input,output}_K.pb. The
package computes the cases itself, from NumPy. Done once per version of the package; takes a minute or two.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, numpy_helper

REPOSITORY = Path(__file__).resolve().parent.parent
WRITERS: dict[str, Callable[[Any, str], Any]] = {
    "map_type": numpy_helper.from_dict,
    "sequence_type": numpy_helper.from_list,
    "optional_type": numpy_helper.from_optional,
    "tensor_type": numpy_helper.from_array,
}


def serialized(value: Any, info: ValueInfoProto) -> bytes:
    """A value of a test case as the protobuf message that its declared type asks for."""
    message = value if isinstance(value, TensorProto) else WRITERS[info.type.WhichOneof("value")](value, info.name)
    data: bytes = message.SerializeToString()
    return data


def write_values(values: Sequence[Any], infos: Sequence[ValueInfoProto], folder: Path, kind: str) -> None:
    """Write one data set's inputs or outputs."""
    for index, (value, info) in enumerate(zip(values, infos)):
        (folder / f"{kind}_{index}.pb").write_bytes(serialized(value, info))


def write_case(case: Any, folder: Path) -> None:
    """Write one of the package's test cases into `folder`."""
    model: ModelProto = case.model
    folder.mkdir(parents=True)
    onnx.save_model(model, folder / "model.onnx")
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        write_values(inputs, model.graph.input, data, "input")
        write_values(outputs, model.graph.output, data, "output")


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=REPOSITORY / "build" / "onnx-cases")
    folder: Path = parser.parse_args().folder
    stamp = folder / "version"
    if stamp.is_file() and stamp.read_text() == onnx.__version__:
        return 0

    print(f"writing the test cases of onnx {onnx.__version__} into {folder}", flush=True)
    warnings.filterwarnings("ignore")
    np.random.seed(0)
    from onnx.backend.test.case import model, node

    shutil.rmtree(folder, ignore_errors=True)
    cases = [case for case in node.collect_testcases(None) + model.collect_testcases() if case.kind != "real"]
    for case in cases:
        write_case(case, folder / case.kind / case.name)
    stamp.write_text(onnx.__version__)
    print(f"{len(cases)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
