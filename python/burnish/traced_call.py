"""A call of a function over IR values, from code that has tensors: as a node of the module that PyTorch traces, or computed."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch
from torch.utils import _pytree as pytree

from . import _burnish
from ._burnish import Error, UsageError
from .trace import Trace, Value

__all__ = ["Traced", "emit", "is_traced", "name_of", "op_of_modules"]

#: The IR's names of element types.
DTYPES: dict[torch.dtype, str] = {
    torch.float32: "f32",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.float64: "f64",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int16: "i16",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "bool",
}
TORCH_DTYPES = {name: dtype for dtype, name in DTYPES.items()}

#: Functions of the IR's expressions of dimensions.
DIM_FUNCTIONS: dict[str, Any] = {
    "floor_div": lambda a, b: a // b,
    "ceil_div": lambda a, b: -(-a // b),
    "mod": lambda a, b: a % b,
    "min": torch.sym_min,
    "max": torch.sym_max,
    "broadcast": torch.sym_max,
}


class Traced:
    """One call's function as a graph, with the structure of its results; values stand for tensors among the leaves."""

    def __init__(self, function: Callable[..., Any], types: Sequence[tuple[str, tuple[int | str, ...]]], leaves: Sequence[Any], spec: pytree.TreeSpec) -> None:
        trace = Trace(types)
        values = iter(trace.inputs)
        filled = [next(values) if isinstance(leaf, torch.Tensor | Value) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        results, self.spec = pytree.tree_flatten(function(*args, **kwargs))
        if not results or not all(isinstance(result, Value) for result in results):
            raise UsageError(f"{name_of(function)}: a function over IR values returns values, or a structure of them, not {results}")
        names = [result.name for result in results]
        self.types = trace.types(names)
        self.text = trace.text(names)
        self.body = trace.body(names)


def name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def _dtype(tensor: torch.Tensor) -> str:
    if tensor.dtype not in DTYPES:
        raise UsageError(f"a function over IR values takes no tensors of {tensor.dtype}")
    return DTYPES[tensor.dtype]


def emit(function: Callable[..., Any], leaves: Sequence[Any], spec: pytree.TreeSpec) -> Any:
    """While PyTorch traces a module: the function's graph as one node of the model, which import replaces by its parts."""
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    symbols: dict[str, Any] = {}

    def dim(size: Any) -> int | str:
        if isinstance(size, int):
            return size
        expression = str(size.node.expr)
        name = expression if re.fullmatch(r"[a-z]\w*", expression) else "d" + re.sub(r"\W", "_", expression)
        symbols[name] = size
        return name

    traced = Traced(function, [(_dtype(tensor), tuple(map(dim, tensor.shape))) for tensor in tensors], leaves, spec)

    def size(text: int | str) -> Any:
        try:
            return text if isinstance(text, int) else eval(text, {"__builtins__": {}}, DIM_FUNCTIONS | symbols)
        except (NameError, SyntaxError) as error:
            raise Error(f"{name_of(function)}: the size '{text}' of its results depends on data") from error

    made = torch.onnx.ops.symbolic_multi_out(
        "burnish::traced",
        tensors,
        {"graph": traced.text},
        dtypes=[TORCH_DTYPES[dtype] for dtype, _ in traced.types],
        shapes=[tuple(map(size, shape)) for _, shape in traced.types],
        version=1,
    )
    return pytree.tree_unflatten(list(made), traced.spec)


def _evaluate(function: Callable[..., Any], leaves: Sequence[Any], spec: pytree.TreeSpec) -> Any:
    """On tensors with data: by the reference kernels, on the host."""
    from .export import without_gradient

    tensors = [without_gradient(leaf, name_of(function)) for leaf in leaves if isinstance(leaf, torch.Tensor)]
    traced = Traced(function, [(_dtype(tensor), tuple(tensor.shape)) for tensor in tensors], leaves, spec)
    results = _burnish.evaluate_trace(traced.text, [tensor.cpu().contiguous() for tensor in tensors])
    where = tensors[0].device
    made = [torch.from_numpy(result) if isinstance(result, numpy.ndarray) else torch.from_dlpack(result) for result in results]
    return pytree.tree_unflatten([tensor.to(where) for tensor in made], traced.spec)


def is_traced(leaves: Sequence[Any]) -> bool:
    return any(isinstance(leaf, torch._subclasses.FakeTensor) for leaf in leaves)


def op_of_modules(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function over values as one that modules may call with tensors."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = pytree.tree_flatten((args, kwargs))
        if any(isinstance(leaf, Value) for leaf in leaves):
            return function(*args, **kwargs)
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            raise UsageError(f"{name_of(function)}: at least one argument is a tensor")
        return (emit if is_traced(leaves) else _evaluate)(function, leaves, spec)

    return call
