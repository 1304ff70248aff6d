"""An FX graph, or a part of one, as a compiled engine that is called with the graph's own arguments."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from . import _burnish
from .export import Exported, export
from .torch_module import call_by_name
from .weights import new_weights

#: Stands for a size of which nothing is known before the graph runs.
UNKNOWN_SIZE = 4

#: This many sets of weights are kept for one graph: Dynamo calls one graph for all layers of the same code.
MOST_VARIANTS = 64


@dataclass
class Argument:
    """What one argument of a graph is to its engine."""

    kind: str  #: "tensor", "weight" (compiled in), "float" (compiled in), or "size" (a Python int)
    like: Any  #: the tensor's or int's FakeTensor or SymInt
    example: Any = None  #: a real tensor or number; of a weight the weight itself


class GraphFunction(torch.nn.Module):
    """A graph as a function of the tensors among its arguments, its weights being parameters and buffers.

    An int comes as the first dimension of a tensor without elements, or, if some tensor has that dimension, from there.
    """

    def __init__(self, graph: torch.fx.GraphModule, arguments: Sequence[Argument], values: Sequence[Any]) -> None:
        super().__init__()
        self.graph = graph
        self._arguments = list(arguments)
        self._values = list(values)
        self.tensors = [position for position, argument in enumerate(arguments) if argument.kind == "tensor"]
        self._known = {str(dim): (position, axis) for position in self.tensors for axis, dim in enumerate(arguments[position].like.shape)}
        untold = [position for position, argument in enumerate(arguments) if argument.kind == "size" and str(argument.like) not in self._known]
        #: The ints that no tensor tells, and those of them that are compiled in: PyTorch traces 0 and 1 apart from others.
        self.numbers = {position: number for position in untold if (number := number_of(values[position], arguments[position].like)) < 2}
        self.sizes = [position for position in untold if position not in self.numbers]
        for position, argument in enumerate(arguments):
            if argument.kind == "weight" and isinstance(values[position], torch.nn.Parameter):
                self.register_parameter(f"weight{position}", values[position])
            elif argument.kind == "weight":
                self.register_buffer(f"weight{position}", values[position])
        self.eval()

    def forward(self, *given: torch.Tensor) -> Any:
        """The graph's results, for its tensors, then the carriers of its sizes."""
        tensors = dict(zip(self.tensors, given, strict=False))
        carriers = dict(zip(self.sizes, given[len(self.tensors) :], strict=True))
        filled: list[Any] = []
        for position, argument in enumerate(self._arguments):
            if argument.kind == "tensor":
                filled.append(tensors[position])
            elif argument.kind == "weight":
                filled.append(getattr(self, f"weight{position}"))
            elif argument.kind == "float":
                filled.append(self._values[position])
            elif position in self.numbers:
                filled.append(self.numbers[position])
            elif position in carriers:
                filled.append(carriers[position].shape[0])
            else:
                source, axis = self._known[str(argument.like)]
                filled.append(tensors[source].shape[axis])
        with torch.fx.traceback.preserve_node_meta():  # what the nodes know of the user's code, for explain
            return torch.fx.Interpreter(self.graph).run(*filled)

    def examples(self) -> tuple[torch.Tensor, ...]:
        """What forward() may be traced with."""
        tensors = [_real(self._values[position], self._arguments[position].like) for position in self.tensors]
        return (*tensors, *(torch.empty(number_of(self._values[position], self._arguments[position].like), 0) for position in self.sizes))

    def dynamic_shapes(self) -> tuple[Any, ...] | None:
        """Of forward(), as torch.export takes them; None where nothing is dynamic."""
        shapes: list[Any] = []
        for position in self.tensors:
            like = self._arguments[position].like
            shapes.append({axis: _dynamic(dim) for axis, dim in enumerate(like.shape) if _is_symbolic(dim)} or None)
        shapes += [{0: torch.export.Dim.DYNAMIC} for _ in self.sizes]
        return (tuple(shapes),) if any(shapes) else None


class Variant:
    """An engine for one set of weights."""

    def __init__(self, function: GraphFunction, arguments: Sequence[Argument], values: Sequence[Any], options: Mapping[str, Any]) -> None:
        exported = exported_of(function)
        self.engine = _burnish.Engine.build(exported.model, exported.weights, **with_ranges(options, exported))
        self.calling = exported.calling
        self.inputs = function.tensors
        names = [leaf.value for leaf in exported.calling.arguments]
        slots = [(position, name, False) for position, name in zip(function.tensors, names, strict=False)]
        slots += [(position, name, True) for position, name in zip(function.sizes, names[len(function.tensors) :], strict=True)]
        results = exported.calling.results
        self.outputs = list(dict.fromkeys(leaf.value for leaf in results if leaf.kind in ("tensor", "int")))
        #: Whether the results are the engine's outputs in a list and nothing else.
        self.direct = [leaf.value for leaf in results if leaf.kind == "tensor"] == self.outputs and len(results) == len(self.outputs)
        self.direct = self.direct and exported.calling.results_spec.type in (tuple, list)
        self._slots = slots
        self._set_fixed(function, arguments, values)

    def _set_fixed(self, function: GraphFunction, arguments: Sequence[Argument], values: Sequence[Any]) -> None:
        """What is compiled in: a call with other weights or numbers is not this variant's."""
        weights = [(position, values[position]) for position, argument in enumerate(arguments) if argument.kind == "weight"]
        self._floats = _numbers_of(function, arguments, values)
        self.signature = _burnish.Signature(torch.Tensor, self._slots, self.outputs, False, len(arguments), weights, self._floats)

    def refitted(self, function: GraphFunction, arguments: Sequence[Argument], values: Sequence[Any]) -> Variant | None:
        """The same with other weights, without a build; None where something else differs, or an engine cannot take them."""
        if _numbers_of(function, arguments, values) != self._floats:
            return None
        variant = copy.copy(self)
        try:
            variant.engine = self.engine.refit(new_weights(self.engine.metadata["burnish.weights"], function.state_dict()))
        except _burnish.Error:
            return None
        variant._set_fixed(function, arguments, values)
        return variant

    def run(self, args: tuple[Any, ...]) -> Any:
        """The graph's results, for arguments whose tensors need not be plain."""
        plain = list(args)
        for position in self.inputs:
            plain[position] = args[position].detach().resolve_neg().contiguous()
        results = self.engine.call(self.signature, tuple(plain))
        if results is None:  # the tensors lie elsewhere than the engine, or this PyTorch has no DLPack exchange
            inputs = {name: torch.empty(plain[position], 0) if is_size else plain[position] for position, name, is_size in self._slots}
            by_name = call_by_name(self.engine, inputs, {})
        else:
            by_name = dict(zip(self.outputs, results, strict=True))
        return self.calling.structured(by_name, [args[position] for position in self.inputs])


class Piece:
    """A compiled graph. Called like the graph, it gives what that gives, without gradients.

    Weights are compiled in. A call with others (or the same ones, written to since) has an engine refitted with those, or
    where that cannot be, is compiled for them.
    """

    def __init__(self, graph: torch.fx.GraphModule, arguments: Sequence[Argument], options: Mapping[str, Any]) -> None:
        self._graph, self._arguments, self._options = graph, list(arguments), options
        values = [argument.example for argument in arguments]
        self._variants: list[Variant] = []
        self._variants = [self._made(values)]
        self._latest = self._variants[0]

    def __call__(self, *args: Any) -> Any:
        """Run with the graph's arguments. Raises burnish.Error for sizes outside of the range that was compiled for."""
        latest = self._latest
        if latest.direct:
            results = latest.engine.call(latest.signature, args)
            if results is not None:
                return results
        return self._variant_of(args).run(args)

    @property
    def engine(self) -> _burnish.Engine:
        """Of the latest weights."""
        return self._latest.engine

    def _made(self, values: Sequence[Any]) -> Variant:
        graph = with_floats(self._graph, self._arguments, values)
        with torch.no_grad():
            function = GraphFunction(graph, self._arguments, values)
            refitted = (variant.refitted(function, self._arguments, values) for variant in self._variants)
            return next((variant for variant in refitted if variant), None) or Variant(function, self._arguments, values, self._options)

    def _variant_of(self, args: tuple[Any, ...]) -> Variant:
        for variant in self._variants:
            if variant.signature.matches(args):
                self._latest = variant
                return variant
        values = [float(arg) if argument.kind == "float" else arg for argument, arg in zip(self._arguments, args, strict=True)]
        self._latest = self._made(values)
        self._variants = [self._latest, *self._variants[: MOST_VARIANTS - 1]]
        return self._latest


def _numbers_of(function: GraphFunction, arguments: Sequence[Argument], values: Sequence[Any]) -> list[tuple[int, float]]:
    """The numbers among the arguments that are compiled in, by position."""
    floats = [(position, float(values[position])) for position, argument in enumerate(arguments) if argument.kind == "float"]
    return floats + [(position, float(number)) for position, number in function.numbers.items()]


def exported_of(function: GraphFunction) -> Exported:
    """The function as an ONNX model. Whatever traces at the moment (Dynamo does) is not asked."""
    with torch._guards.tracing(None), torch.no_grad():
        return export(function, function.examples(), {}, function.dynamic_shapes())


def with_ranges(options: Mapping[str, Any], exported: Exported) -> dict[str, Any]:
    """Options of a build for the shapes that the model was exported for."""
    ranges = {"min_shapes": exported.min_shapes, "opt_shapes": exported.opt_shapes, "max_shapes": exported.max_shapes}
    return {**options, **ranges}


def with_floats(graph: torch.fx.GraphModule, arguments: Sequence[Argument], values: Sequence[Any]) -> torch.fx.GraphModule:
    """The graph with the floats among its arguments in place of what reads them: tensor.item()."""
    floats = [position for position, argument in enumerate(arguments) if argument.kind == "float"]
    if not floats:
        return graph
    changed = torch.fx.Graph()
    output = changed.graph_copy(graph.graph, {})
    changed.output(output)
    placeholders = [node for node in changed.nodes if node.op == "placeholder"]
    for position in floats:
        for user in list(placeholders[position].users):
            user.replace_all_uses_with(float(values[position]))
            changed.erase_node(user)
    return torch.fx.GraphModule(graph, changed)


def _is_symbolic(dim: Any) -> bool:
    return isinstance(dim, torch.SymInt) and not dim.node.expr.is_number


def _dynamic(dim: Any) -> Any:
    """A dimension that may change, within the range that Dynamo knows of it."""
    known = dim.node.shape_env.bound_sympy(dim.node.expr) if dim.node.expr.is_symbol else None
    if known is None or not known.upper.is_Integer or known.upper > 2**31:
        return torch.export.Dim.DYNAMIC
    return torch.export.Dim.DYNAMIC(min=int(known.lower), max=int(known.upper))


def _hint(dim: Any) -> int:
    if not _is_symbolic(dim):
        return int(dim)
    return int(dim.node.hint) if dim.node.has_hint() else UNKNOWN_SIZE


def number_of(value: Any, like: Any) -> int:
    """The int that an argument is, or that its symbol stands for at the moment."""
    return value if isinstance(value, int) else _hint(like)


def _real(value: Any, like: Any) -> torch.Tensor:
    """A tensor to trace with: the given one, or zeros where there is none yet."""
    if isinstance(value, torch.Tensor) and type(value).__name__ != "FakeTensor":
        return value.detach()
    return torch.zeros([_hint(dim) for dim in like.shape], dtype=like.dtype, device=like.device)
