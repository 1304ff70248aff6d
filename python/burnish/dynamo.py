"""The backend of torch.compile(module, backend="burnish", options={...}).

Dynamo hands over a graph; the whole of it becomes one engine if it can. Otherwise it is cut: what Burnish cannot take
stays in PyTorch, in as few pieces as possible, and `burnish.explain` says what that is and why. Sizes that Dynamo calls
dynamic are dynamic in the engine. Weights are compiled in; after a change of them (an optimiser's step,
load_state_dict, another module with the same code) the next call refits the engine, or where that cannot be, compiles
anew. What writes to `weight.data`, which PyTorch does not count as a change, goes unseen.

PyTorch finds this file by the package's entry point, without an import of burnish.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ._burnish import Error, UsageError
from .build import build_options
from .fx_piece import MOST_VARIANTS, Argument, GraphFunction, Piece, number_of, with_floats
from .fx_split import SplitGraph
from .report import GraphReport, note_call

#: What `options` may hold: the keywords of burnish.compile that mean something here.
OPTIONS = ("precision", "device", "threads", "streams", "tuning_cache", "tune", "progress", "log")


def backend(graph: torch.fx.GraphModule, example_inputs: Sequence[Any], *, options: Mapping[str, Any] | None = None, mode: str | None = None) -> CompiledGraph:
    """Compile a graph of Dynamo's. `options` are those of burnish.compile named in OPTIONS; `mode` means nothing here."""
    given = dict(options or {})
    for name in given:
        if name not in OPTIONS:
            raise UsageError(f"torch.compile(backend='burnish'): there is no option '{name}'; there are {', '.join(OPTIONS)}")
    arguments = [_argument(node, example) for node, example in zip(_placeholders(graph), example_inputs, strict=True)]
    _require_inference(graph, arguments)
    if "device" not in given:
        devices = [argument.like.device for argument in arguments if isinstance(argument.like, torch.Tensor)]
        given["device"] = next((str(device) for device in devices if device.type == "cuda"), "cpu")
    return CompiledGraph(graph, arguments, build_options(**given))


class CompiledGraph:
    """A graph of Dynamo's: one engine, or engines and what stays in PyTorch."""

    def __init__(self, graph: torch.fx.GraphModule, arguments: Sequence[Argument], options: Mapping[str, Any]) -> None:
        self.report = GraphReport(sum(node.op.startswith("call") for node in graph.graph.nodes))
        self._run = self._compiled(graph, arguments, options)

    def __call__(self, *args: Any) -> Any:
        """Run with the graph's arguments."""
        note_call(self.report)
        return self._run(*args)

    def _compiled(self, graph: torch.fx.GraphModule, arguments: Sequence[Argument], options: Mapping[str, Any]) -> Any:
        if not any(argument.kind == "tensor" for argument in arguments):
            self.report.stays("the whole graph", "", "it has no tensor among its inputs")
            return graph
        try:
            piece = Piece(graph, arguments, options)
            self.report.runs(piece)
            return piece
        except Error as error:
            whole = error
        cuts = Cuts(graph, arguments, options, self.report)
        cuts.made([argument.example for argument in arguments])
        if not self.report.left:
            self.report.stays("the whole graph", "", str(whole))
        return cuts


class Cuts:
    """A graph in pieces, cut once for all numbers that are compiled in: floats, and ints below 2."""

    def __init__(self, graph: torch.fx.GraphModule, arguments: Sequence[Argument], options: Mapping[str, Any], report: GraphReport) -> None:
        self._graph, self._arguments, self._options, self._report = graph, list(arguments), options, report
        self._numbers = [position for position, argument in enumerate(arguments) if argument.kind in ("float", "size")]
        self._cut: dict[tuple[Any, ...], Any] = {}

    def __call__(self, *args: Any) -> Any:
        """Run with the graph's arguments."""
        run = self._cut.get(self._key(args)) or self.made(args)
        return run(*args)

    def made(self, values: Sequence[Any]) -> Any:
        """The pieces for these numbers, or the graph itself where no engine can do any of it."""
        values = [float(value) if argument.kind == "float" else value for value, argument in zip(values, self._arguments, strict=True)]
        made: Any = self._graph
        try:
            function = GraphFunction(with_floats(self._graph, self._arguments, values), self._arguments, values)
            split = SplitGraph(function, self._arguments, self._options, self._report)
            made = split if split.pieces else self._graph
        except Error as error:
            self._report.stays("the whole graph", "", str(error))
        if len(self._cut) >= MOST_VARIANTS:
            del self._cut[next(iter(self._cut))]
        self._cut[self._key(values)] = made
        return made

    def _key(self, values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self._number(values[position], self._arguments[position]) for position in self._numbers)

    @staticmethod
    def _number(value: Any, argument: Argument) -> float | int | None:
        if argument.kind == "float":
            return float(value)
        number = number_of(value, argument.like)
        return number if number < 2 else None


def _placeholders(graph: torch.fx.GraphModule) -> list[torch.fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


def _argument(node: torch.fx.Node, example: Any) -> Argument:
    """What Dynamo says of an argument."""
    like = node.meta.get("example_value", example)
    if not isinstance(example, torch.Tensor):
        return Argument("size", like, example)
    if isinstance(example, torch.nn.Parameter) or "_dynamo_static_input_type" in node.meta.get("tensor_dict", {}):
        return Argument("weight", like, example)
    source = node.meta.get("grapharg")
    reads = [(user.op, user.target) for user in node.users]
    if source is not None and source.pass_arg_as_tensor and example.dtype == torch.float64 and all(read == ("call_method", "item") for read in reads):
        return Argument("float", like, example.item())
    return Argument("tensor", like, example)


def _require_inference(graph: torch.fx.GraphModule, arguments: Sequence[Argument]) -> None:
    if not torch.is_grad_enabled():
        return
    for node, argument in zip(_placeholders(graph), arguments, strict=True):
        if argument.kind == "tensor" and argument.like.requires_grad:
            raise UsageError(f"input '{node.target}' requires a gradient, and Burnish computes none: call under torch.no_grad(), or detach it")
    for node in graph.graph.nodes:
        if node.op == "call_function" and _argument_named(node, "training") is True:
            raise UsageError(f"'{node.name}' runs in training mode, and Burnish compiles for inference: call module.eval() first, or run under torch.no_grad()")


def _argument_named(node: torch.fx.Node, name: str) -> Any:
    """The value that a call of a function of PyTorch's gives to a parameter, if that function is written in Python."""
    try:
        return inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments.get(name)
    except (TypeError, ValueError):
        return node.kwargs.get(name)


