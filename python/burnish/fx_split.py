"""A graph that Burnish cannot take as a whole: cut into engines and what stays in PyTorch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
from torch.fx.passes.operator_support import OperatorSupportBase

from . import _burnish
from ._burnish import Error
from .fx_piece import Argument, GraphFunction, Piece, exported_of
from .report import GraphReport

#: Where this package's own code lies.
PACKAGE = str(Path(__file__).parent)


class SplitGraph:
    """A function of PyTorch's in ATen's ops, of which engines do what they can. Called like the graph it was made of."""

    def __init__(self, function: GraphFunction, arguments: Sequence[Argument], options: Mapping[str, Any], report: GraphReport) -> None:
        self._arguments = list(arguments)
        self._function = function
        program = _traced(function)
        self._signature = program.graph_signature
        self._constants = program.constants
        #: Where the results come from; PyTorch's own tree is around them.
        self._spec = program.call_spec.out_spec
        self._graph = program.graph_module
        _drop_assertions(self._graph)
        self.pieces: list[Piece] = []
        self._cut(options, report)

    def __call__(self, *args: Any) -> Any:
        """Run with the arguments of the graph that it was made of; what that writes to is written to."""
        with torch.no_grad():
            outputs = self._graph(*[self._lifted(spec, args) for spec in self._signature.input_specs])
        results = []
        for spec, output in zip(self._signature.output_specs, outputs, strict=True):
            if spec.kind == OutputKind.USER_OUTPUT:
                results.append(output)
            else:
                self._written(spec, args).copy_(output)
        return torch.utils._pytree.tree_unflatten(results, self._spec)

    def _lifted(self, spec: Any, args: Sequence[Any]) -> Any:
        """The value of one of the traced graph's inputs."""
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            return args[int(spec.target.removeprefix("weight"))]
        if spec.kind == InputKind.USER_INPUT:
            return self._user_input(self._user_inputs().index(spec.arg.name), args)
        return self._constants[spec.target]

    def _user_inputs(self) -> list[str]:
        return [spec.arg.name for spec in self._signature.input_specs if spec.kind == InputKind.USER_INPUT]

    def _user_input(self, index: int, args: Sequence[Any]) -> Any:
        function = self._function
        if index < len(function.tensors):
            return args[function.tensors[index]]
        return torch.empty(args[function.sizes[index - len(function.tensors)]], 0)

    def _written(self, spec: Any, args: Sequence[Any]) -> Any:
        """The argument that the graph writes to."""
        if spec.kind == OutputKind.USER_INPUT_MUTATION:
            return self._user_input(self._user_inputs().index(spec.target), args)
        return args[int(spec.target.removeprefix("weight"))]

    def _frozen(self) -> dict[str, torch.Tensor]:
        """Weights and constants by the names of their placeholders, but for those that the graph writes to."""
        written = {spec.target for spec in self._signature.output_specs if spec.kind != OutputKind.USER_OUTPUT}
        examples = [argument.example for argument in self._arguments]
        return {
            spec.arg.name: self._lifted(spec, examples)
            for spec in self._signature.input_specs
            if spec.kind not in (InputKind.USER_INPUT, InputKind.CUSTOM_OBJ, InputKind.TOKEN) and spec.target not in written
        }

    def _cut(self, options: Mapping[str, Any], report: GraphReport) -> None:
        frozen = self._frozen()
        nodes = [node for node in self._graph.graph.nodes if node.op == "call_function" and not _only_sizes(node)]
        reasons = refused({_kind(node): node for node in nodes}, frozen)
        for node in nodes:
            if _kind(node) in reasons:
                report.stays(str(node.target), _where(node), reasons[_kind(node)])
        partitioner = CapabilityBasedPartitioner(self._graph, _Taken(reasons))
        fused = partitioner.fuse_partitions(partitioner.propose_partitions())
        for node in [node for node in fused.graph.nodes if node.op == "call_module"]:
            part = fused.get_submodule(node.target)
            arguments = [_argument(source, frozen) for source in node.args]
            try:
                piece = Piece(part, arguments, options)
            except Error as error:
                ops = sum(inner.op == "call_function" for inner in part.graph.nodes)
                report.stays(f"a piece of {ops} ops", "", str(error))
                continue
            fused.delete_submodule(node.target)
            fused.add_module(node.target, _Called(piece))
            self.pieces.append(piece)
            report.runs(piece)
        fused.recompile()
        self._graph = fused


class _Called(torch.nn.Module):
    """A piece as a part of a graph."""

    def __init__(self, piece: Piece) -> None:
        super().__init__()
        self._piece = piece

    def forward(self, *args: Any) -> Any:
        """The piece's results."""
        return self._piece(*args)


class _Taken(OperatorSupportBase):
    """The ops that engines do."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self._reasons = reasons

    def is_node_supported(self, submodules: Mapping[str, torch.nn.Module], node: torch.fx.Node) -> bool:
        """Whether an engine may hold the node."""
        return node.op == "call_function" and (_only_sizes(node) or _kind(node) not in self._reasons)


def refused(nodes: Mapping[str, torch.fx.Node], frozen: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Of ops by their kinds, those that PyTorch's ONNX exporter or Burnish's importer refuse, with the reason.

    What is not known of another graph is tried side by side, and where that fails in two parts: those that the error
    names and the others, or else by halves.
    """
    unknown = {kind: node for kind, node in nodes.items() if kind not in _known}
    if unknown:
        try:
            _try(list(unknown.values()), frozen)
            _known.update(dict.fromkeys(unknown))
        except Error as error:
            if len(unknown) == 1:
                _known[next(iter(unknown))] = str(error)
            for part in _parts(unknown, str(error)):
                refused(part, frozen)
    return {kind: reason for kind in nodes if (reason := _known[kind]) is not None}


#: What has been found out of kinds of ops: the reason why they are refused, or None.
_known: dict[str, str | None] = {}


def _parts(nodes: Mapping[str, torch.fx.Node], error: str) -> list[dict[str, torch.fx.Node]]:
    """Two parts of the nodes, none of a single one."""
    if len(nodes) == 1:
        return []
    named = [kind for kind, node in nodes.items() if re.search(rf"aten[.:]+_?{re.escape(_name(node))}\b", error)]
    first = named if 0 < len(named) < len(nodes) else list(nodes)[: len(nodes) // 2]
    return [{kind: nodes[kind] for kind in first}, {kind: node for kind, node in nodes.items() if kind not in first}]


def _name(node: torch.fx.Node) -> str:
    """"mul" of aten.mul.Tensor."""
    return str(getattr(node.target, "overloadpacket", node.target)).rpartition(".")[2].strip("_")


def _try(nodes: Sequence[torch.fx.Node], frozen: Mapping[str, torch.Tensor]) -> None:
    """Export and import a graph in which each of the nodes stands alone. Throws Error."""
    graph = torch.fx.Graph()
    copies: dict[torch.fx.Node, torch.fx.Node] = {}
    for node in nodes:
        for source in node.all_input_nodes:
            if source not in copies:
                copies[source] = graph.placeholder(source.name)
    arguments = [_argument(source, frozen) for source in copies]
    made = [graph.node_copy(node, copies.__getitem__) for node in nodes]
    graph.output(tuple(made))
    exported = exported_of(GraphFunction(torch.fx.GraphModule(torch.nn.Module(), graph), arguments, [argument.example for argument in arguments]))
    _burnish.check_model(exported.model, exported.weights)


def _traced(function: GraphFunction) -> Any:
    """The function in ATen's functional ops. Throws Error with PyTorch's words where it cannot be traced."""
    try:
        with torch._guards.tracing(None), torch.no_grad():
            shapes = function.dynamic_shapes()
            return torch.export.export(function, function.examples(), dynamic_shapes=shapes, strict=False).run_decompositions({})
    except Exception as error:
        raise Error(f"PyTorch cannot export the graph: {error}") from error


def _drop_assertions(graph: torch.fx.GraphModule) -> None:
    """Those about sizes: Dynamo's guards have seen to them."""
    for node in reversed(list(graph.graph.nodes)):
        if node.op == "call_function" and "_assert" in str(node.target) and not node.users:
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _argument(node: Any, frozen: Mapping[str, torch.Tensor]) -> Argument:
    like = node.meta["val"]
    if node.name in frozen:
        return Argument("weight", like, frozen[node.name])
    return Argument("tensor" if isinstance(like, torch.Tensor) else "size", like)


def _only_sizes(node: torch.fx.Node) -> bool:
    """Arithmetic on sizes, and the parts of what another node makes: these go wherever their neighbours go."""
    return isinstance(node.meta.get("val"), int | torch.SymInt | torch.SymBool) or str(node.target).endswith("getitem>")


def _kind(node: torch.fx.Node) -> str:
    """Nodes of one kind are taken or refused alike: the op, its inputs' types and ranks, and its constants."""
    def shown(value: Any) -> Any:
        like = value.meta.get("val")
        return f"{like.dtype}:{like.dim()}" if isinstance(like, torch.Tensor) else type(like).__name__

    return f"{node.target} {torch.fx.map_arg((node.args, node.kwargs), shown)}"


def _where(node: torch.fx.Node) -> str:
    """The last line of the user's code on the way to the node."""
    lines = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines()]
    calls = [line for line in lines if line.startswith("File ") and "<eval_with_key>" not in line and PACKAGE not in line]
    return calls[-1].removeprefix("File ").replace('"', "") if calls else ""
