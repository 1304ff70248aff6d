#!/usr/bin/env python3
"""Changes fields outside the weights of real models, and asks `burnish inspect` about each: whatever it is given, it must
end within 10 s of processor time and 2 GiB of memory, with exit code 0, or with 1 or 2 and a short error that says what
is wrong.

    tests/model_mutants.py MODEL... [--count 200] [--seed 1] [--only N] [--keep FOLDER] [--shape FILE.onnx:x=1x3x48x192]

The last line is `N passed, N failed`. A mutant is made again by its model, --seed and --only.
"""

import argparse
import collections
import random
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import onnx

Item = TypeVar("Item")

REPOSITORY = Path(__file__).resolve().parent.parent
PROCESSOR_SECONDS = 10
IDLE_SECONDS = 300  # without any processor time: waits for what never comes. The machine may be busy with other work
MEMORY = 2 << 30

# Shapes for the inputs that the packaged models leave open, so that a mutant goes through the whole build.
SHAPES = {
    "PP-OCRv6_det_small": ["x=1x3x64x96"],
    "PP-OCRv6_rec_small": ["x=1x3x48x64"],
    "ch_ppocr_mobile_v2.0_cls_mobile": ["x=1x3x48x192"],
    "magika": ["bytes=1x2048"],
    "open-nsfw": ["input:0=1x224x224x3"],
    "silero_vad_v6": ["input=1x576"],
    "title_encoder": ["input_ids=1x8", "attention_mask=1x8"],
    "title_decoder": ["input_ids=1x4", "encoder_attention_mask=1x8", "encoder_hidden_states=1x8x512"],
}

EDGE_NUMBERS = [0, 1, -1, 2, 3, 7, -2, 64, 255, 1 << 31, -(1 << 31), (1 << 31) - 1, 1 << 40, (1 << 62) + 1, (1 << 63) - 1, -(1 << 63)]
ELEMENT_TYPES = [*range(28), -1, 1000]
OPSETS = [-1, 0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 23, 24, 99, (1 << 62)]
OPS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})
LARGEST_SMALL = 16  # elements: a constant tensor up to here says a shape, axes or bounds, and is no weight


class NothingToChange(Exception):
    """The model has no such field."""


def graphs_of(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """The graph and those inside its nodes."""
    found = [graph]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += graphs_of(attribute.g)
    return found


class Mutator:
    """One change at a time, drawn by `rng`."""

    def __init__(self, model: onnx.ModelProto, rng: random.Random) -> None:
        self.model = model
        self.rng = rng
        self.graphs = graphs_of(model.graph)

    def pick(self, items: Iterable[Item]) -> Item:
        listed = list(items)
        if not listed:
            raise NothingToChange
        return self.rng.choice(listed)

    def graph(self) -> onnx.GraphProto:
        return self.pick([g for g in self.graphs if g.node] or [self.model.graph])

    def node(self) -> onnx.NodeProto:
        nodes: list[onnx.NodeProto] = list(self.graph().node)
        return self.pick(nodes)

    def number(self, old: int) -> int:
        return self.rng.choice([*EDGE_NUMBERS, old + 1, old - 1, -old if old > -(1 << 63) else 0]) if abs(old) < 1 << 62 else 0

    def value_name(self, graph: onnx.GraphProto) -> str:
        node = self.pick(graph.node)
        names = [*node.output, *node.input, *(i.name for i in graph.input[:3]), *(i.name for i in graph.initializer[:3])]
        return str(self.pick([n for n in names if n] or ["x"]))

    # --- the changes ---
    def dimension(self) -> None:
        graph = self.graph()
        info = self.pick([*graph.input, *graph.output, *graph.value_info[:50]])
        shape = info.type.tensor_type.shape
        if not shape.dim or self.rng.random() < 0.2:
            self.rng.choice([shape.dim.add, lambda: info.type.tensor_type.ClearField("shape")])()
            return
        dim = self.pick(shape.dim)
        if self.rng.random() < 0.3:
            dim.dim_param = self.rng.choice(["n", "", "?", "-1", "max", "a b", "n" * 300])
        else:
            dim.dim_value = self.number(dim.dim_value)

    def element_type(self) -> None:
        graph = self.graph()
        info = self.pick([*graph.input, *graph.output])
        if self.rng.random() < 0.2:
            info.type.sequence_type.elem_type.tensor_type.elem_type = 1
        else:
            info.type.tensor_type.elem_type = self.rng.choice(ELEMENT_TYPES)

    def initializer(self) -> None:
        tensor = self.pick(self.graph().initializer)
        what = self.rng.randrange(5)
        if what == 0:
            tensor.data_type = self.rng.choice(ELEMENT_TYPES)
        elif what == 1 and len(tensor.dims) > 1:
            tensor.dims[:] = self.rng.sample(list(tensor.dims), len(tensor.dims))
        elif what == 2:
            tensor.dims.append(self.rng.choice([1, 0, -1, 1 << 40]))
        elif what == 3 and tensor.dims:
            at = self.rng.randrange(len(tensor.dims))
            tensor.dims[at] = self.number(tensor.dims[at])
        else:
            tensor.name = self.rng.choice(["", "other", tensor.name + "_"])

    def small_constant(self) -> None:
        """Shapes, axes and bounds that come as tensors."""
        small = []
        for graph in self.graphs:
            tensors = [*graph.initializer, *(a.t for n in graph.node for a in n.attribute if a.HasField("t"))]
            small += [t for t in tensors if t.data_type in (6, 7) and len(t.dims) < 2 and (not t.dims or t.dims[0] <= LARGEST_SMALL)]
        tensor = self.pick(small)
        values = onnx.numpy_helper.to_array(tensor).copy()
        if values.size == 0:
            raise NothingToChange
        low, high = (-(1 << 31), (1 << 31) - 1) if tensor.data_type == 6 else (-(1 << 63), (1 << 63) - 1)
        at = self.rng.randrange(values.size)
        values.reshape(-1)[at] = min(max(self.number(int(values.reshape(-1)[at])), low), high)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    def edge(self) -> None:
        graph = self.graph()
        node = self.pick([n for n in graph.node if n.input])
        at = self.rng.randrange(len(node.input))
        node.input[at] = self.rng.choice(["", "no such value", self.value_name(graph), self.value_name(graph), *node.output])

    def operands(self) -> None:
        graph = self.graph()
        node = self.pick(graph.node)
        what = self.rng.randrange(5)
        if what == 0:
            node.input.append(self.value_name(graph))
        elif what == 1 and node.input:
            del node.input[self.rng.randrange(len(node.input))]
        elif what == 2 and node.output:
            node.output[self.rng.randrange(len(node.output))] = self.rng.choice(["", self.value_name(graph), "renamed"])
        elif what == 3:
            node.output.append(self.rng.choice(["one_more", self.value_name(graph)]))
        else:
            inputs = list(node.input)
            self.rng.shuffle(inputs)
            node.input[:] = inputs

    def attribute(self) -> None:
        node = self.pick([n for n in self.graph().node if n.attribute])
        attribute = self.pick(node.attribute)
        what = self.rng.randrange(8)
        if what == 0:
            node.attribute.remove(attribute)
        elif what == 1:
            attribute.type = self.rng.choice(list(range(1, 15)))
        elif what == 2:
            attribute.name = self.rng.choice(["", "axis", "other", attribute.name.upper()])
        elif what == 3:
            node.attribute.add().CopyFrom(attribute)
        elif attribute.ints:
            choice = self.rng.randrange(4)
            if choice == 0:
                attribute.ints.append(self.rng.choice(EDGE_NUMBERS))
            elif choice == 1:
                del attribute.ints[0]
            else:
                at = self.rng.randrange(len(attribute.ints))
                attribute.ints[at] = self.number(attribute.ints[at])
        elif attribute.type == onnx.AttributeProto.INT:
            attribute.i = self.number(attribute.i)
        elif attribute.type == onnx.AttributeProto.FLOAT:
            attribute.f = self.rng.choice([0.0, -1.0, 1e30, -1e30, 1e-40, float("inf"), float("-inf"), float("nan")])
        elif attribute.type == onnx.AttributeProto.STRING:
            attribute.s = self.rng.choice([b"", b"other", b"\xff\xfe\x00", attribute.s.upper(), b"x" * 5000])
        else:
            node.attribute.remove(attribute)

    def op(self) -> None:
        node = self.node()
        what = self.rng.randrange(3)
        if what == 0:
            node.op_type = self.node().op_type
        elif what == 1:
            node.op_type = self.rng.choice([*OPS, "", "NoSuchOp", node.op_type.lower()])
        else:
            node.domain = self.rng.choice(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "no.such"])

    def node_order(self) -> None:
        graph = self.graph()
        nodes = list(graph.node)
        at, other = self.rng.randrange(len(nodes)), self.rng.randrange(len(nodes))
        what = self.rng.randrange(3)
        if what == 0:
            del nodes[at]
        elif what == 1:
            nodes.insert(other, nodes[at])
        else:
            nodes[at], nodes[other] = nodes[other], nodes[at]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)

    def cycle(self) -> None:
        graph = self.graph()
        at = self.rng.randrange(len(graph.node))
        later = graph.node[self.rng.randrange(at, len(graph.node))]
        node = graph.node[at]
        if not node.input or not later.output:
            raise NothingToChange
        node.input[self.rng.randrange(len(node.input))] = later.output[0]

    def edges_of_graph(self) -> None:
        graph = self.graph()
        listed = self.pick([x for x in (graph.input, graph.output, graph.initializer) if x])
        item = self.pick(listed)
        what = self.rng.randrange(3)
        if what == 0:
            listed.remove(item)
        elif what == 1:
            item.name = self.rng.choice(["", "no such value", self.value_name(graph), "a/../b", "n" * 3000])
        else:
            listed.add().CopyFrom(item)

    def opset(self) -> None:
        if not self.model.opset_import or self.rng.random() < 0.1:
            del self.model.opset_import[:]
            return
        opset = self.pick(self.model.opset_import)
        if self.rng.random() < 0.1:
            opset.domain = self.rng.choice(["ai.onnx.ml", "no.such", "ai.onnx"])
        else:
            opset.version = self.rng.choice(OPSETS)

    def external(self) -> None:
        tensor = self.pick(self.graph().initializer)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        location = self.rng.choice(["../weights", "/etc/passwd", "missing.bin", "", ".", "a/../../b", "model.onnx"])
        entries = {"location": location, "offset": self.rng.choice(["0", "-1", "99999999999999999999", "x", "1"])}
        if self.rng.random() < 0.5:
            entries["length"] = str(self.rng.choice(EDGE_NUMBERS))
        del tensor.external_data[:]
        for key, value in entries.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    def all(self) -> list[Callable[[], None]]:
        return [self.dimension, self.element_type, self.initializer, self.small_constant, self.edge, self.operands, self.attribute,
                self.attribute, self.op, self.node_order, self.cycle, self.edges_of_graph, self.opset, self.external]  # fmt: skip


def mutant(original: onnx.ModelProto, rng: random.Random) -> tuple[bytes, str]:
    """The bytes of a changed copy, and the names of the changes."""
    if rng.random() < 0.03:
        whole = original.SerializeToString()
        return whole[: rng.randrange(len(whole))], "cut"
    model = onnx.ModelProto()
    model.CopyFrom(original)
    mutator = Mutator(model, rng)
    names: list[str] = []
    wanted = 1 if rng.random() < 0.7 else 2
    while len(names) < wanted:
        change = rng.choice(mutator.all())
        try:
            change()
            names.append(change.__name__)
        except NothingToChange:
            continue
    return model.SerializeToString(), "+".join(names)


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def processor_ticks(process: int) -> int:
    """The processor time that it has taken so far, in the kernel's ticks."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def verdict(returncode: int, message: str) -> str:
    """What is wrong with how the tool ended; empty: nothing."""
    if returncode not in (0, 1, 2):
        return f"ended with {returncode}"
    if returncode == 0:
        return ""
    lines = message.strip().splitlines()
    if not lines or not lines[-1].strip():
        return "failed without a message"
    if len(lines) > 12 or len(message) > 6000:
        return f"an error of {len(lines)} lines, {len(message)} characters"
    if not any(line.startswith("burnish: ") for line in lines):
        return "the error does not begin with 'burnish: '"
    bad = re.search(r"std::|basic_string|vector::|map::|_M_|internal:|json\.|out of memory|terminate|Assert", message)
    return f"the error says '{bad.group()}'" if bad else ""


def check(tool: Path, path: Path, shapes: list[str]) -> tuple[int, str, str]:
    """(exit code, standard error, what is wrong)."""
    command = [str(tool), "inspect", str(path), "--device", "cpu", "--tune", "model", "--tuning-cache", "none", "--quiet"]
    command += [f"--shape={shape}" for shape in shapes]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limit)
    taken = -1
    while True:
        try:
            message = process.communicate(timeout=IDLE_SECONDS)[1].decode(errors="replace")
            return process.returncode, message, verdict(process.returncode, message)
        except subprocess.TimeoutExpired:
            before, taken = taken, processor_ticks(process.pid)
            if taken == before:
                process.kill()
                process.communicate()
                return -1, "", f"took no processor time for {IDLE_SECONDS} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=200, help="mutants of each model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one mutant")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that failed")
    parser.add_argument("--messages", action="store_true", help="print how often each error was given")
    parser.add_argument("--tool", type=Path, default=REPOSITORY / "build" / "bin" / "burnish")
    options = parser.parse_args()
    passed = failed = 0
    messages: collections.Counter[str] = collections.Counter()
    for path in options.models:
        original = onnx.load(path)
        shapes = SHAPES.get(path.stem, [])
        built = 0
        with tempfile.TemporaryDirectory() as folder:
            for number in [options.only] if options.only is not None else range(options.count):
                data, changes = mutant(original, random.Random(f"{path.stem}/{options.seed}/{number}"))
                file = Path(folder) / "model.onnx"
                file.write_bytes(data)
                code, message, wrong = check(options.tool, file, shapes)
                built += code == 0
                messages[re.sub(r"'[^']*'|[0-9]+", "#", message.strip())[-200:]] += 1
                passed, failed = passed + (not wrong), failed + bool(wrong)
                if wrong:
                    print(f"FAIL {path.stem} --seed {options.seed} --only {number} ({changes}): {wrong}\n    {message[:600]}", flush=True)
                    if options.keep:
                        options.keep.mkdir(parents=True, exist_ok=True)
                        (options.keep / f"{path.stem}.{options.seed}.{number}.onnx").write_bytes(data)
        print(f"{path.stem}: seed {options.seed}, {built} mutants could be built", flush=True)
    if options.messages:
        for text, count in messages.most_common():
            print(f"{count:5} {text}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
