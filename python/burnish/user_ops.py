"""Ops of one's own, as functions over values of Burnish's IR.

    from burnish.user_ops import ops, user_op

    @user_op
    def scaled_swish(x, beta):
        return x * ops.sigmoid(x * beta)

    class Net(torch.nn.Module):
        def forward(self, x):
            return scaled_swish(self.linear(x), 1.5)

A function is traced once for each kind of call: its arithmetic becomes nodes of the model, so that it is optimised and
fused like any other, and saved with the engine. `ops` has every op of docs/operators.md's table by its name; what stands
beside values are numbers, lists of numbers, and the op's attributes by name.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.utils import _pytree as pytree

from . import _burnish
from ._burnish import Error, UsageError

__all__ = ["Value", "converter", "ops", "user_op"]

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


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the IR while a function is traced."""

    trace: Trace
    name: str
    dtype: str  #: the IR's name: "f32", "bf16", "i64", "bool"
    shape: tuple[int | str, ...]  #: a number, or an expression over the model's symbols

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    def __add__(self, other: Any) -> Any:
        return self.trace.call("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self.trace.call("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self.trace.call("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.trace.call("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.trace.call("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.trace.call("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.trace.call("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.trace.call("div", other, self)

    def __pow__(self, other: Any) -> Any:
        return self.trace.call("pow", self, other)

    def __matmul__(self, other: Any) -> Any:
        return self.trace.call("matmul", self, other)

    def __neg__(self) -> Any:
        return self.trace.call("neg", self)

    def __lt__(self, other: Any) -> Any:
        return self.trace.call("less", self, other)

    def __gt__(self, other: Any) -> Any:
        return self.trace.call("greater", self, other)

    def cast(self, dtype: str) -> Any:
        """The same numbers as another element type, by the IR's name of it."""
        return self.trace.call("cast", self, to=dtype)


class Trace:
    """A graph in the IR's text, under construction."""

    def __init__(self, inputs: Sequence[tuple[str, tuple[int | str, ...]]]) -> None:
        types = [f"{dtype}[{','.join(map(str, shape))}]" for dtype, shape in inputs]
        self._head = f"graph traced({', '.join(f'%x{i}: {type_}' for i, type_ in enumerate(types))}) {{\n"
        self._lines: list[str] = []
        self._made = 0
        self.inputs = [Value(self, f"%x{i}", dtype, shape) for i, (dtype, shape) in enumerate(inputs)]

    def text(self, results: Sequence[str]) -> str:
        """The whole graph; `results` are names of values."""
        return f"{self._head}{''.join(self._lines)}  yield {', '.join(f'y{i}={name}' for i, name in enumerate(results))}\n}}"

    def types(self, results: Sequence[str]) -> list[tuple[str, tuple[int | str, ...]]]:
        """Inferred by the core."""
        return [(dtype, tuple(int(dim) if dim.isdigit() else dim for dim in dims)) for dtype, dims in _burnish.trace_types(self.text(results))]

    def call(self, op: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node, and gives its result, or a tuple of `outputs` results."""
        like = next((value.dtype for value in inputs if isinstance(value, Value)), "f32")
        operands = [self._operand(value, like) for value in inputs]
        names = [f"%v{self._made + i}" for i in range(outputs)]
        braces = ", ".join(f"{name}={_attribute(value)}" for name, value in attributes.items())
        line = f"  {', '.join(names)} = {op}({', '.join(operands)}){f' {{{braces}}}' if braces else ''} : {', '.join('_' * outputs)}\n"
        self._made += outputs
        self._lines.append(line)
        try:
            types = self.types(names)
        except Error as error:
            self._lines.pop()
            raise Error(f"op '{op}' of a traced function: {error}") from error
        values = tuple(Value(self, name, dtype, shape) for name, (dtype, shape) in zip(names, types, strict=True))
        return values if outputs > 1 else values[0]

    def _operand(self, value: Any, like: str) -> str:
        if value is None:
            return "_"
        if isinstance(value, Value):
            if value.trace is not self:
                raise UsageError("a traced function uses a value of another call; values do not outlive the call that they came in")
            return value.name
        data = numpy.asarray(value)
        if data.dtype.kind not in "biuf" or data.size > 4096:
            raise UsageError(f"a traced function takes values, numbers and lists of up to 4096 numbers, not {value!r}")
        dtype = like if data.ndim == 0 else "f32" if data.dtype.kind == "f" else "bool" if data.dtype.kind == "b" else "i64"
        name = f"@c{self._made}"
        self._made += 1
        elements = ", ".join(_number(element, dtype) for element in data.ravel().tolist())
        self._lines.append(f"  constant {name}: {dtype}[{','.join(map(str, data.shape))}] = {{{elements}}}\n")
        return name


def _number(value: Any, dtype: str) -> str:
    if dtype == "bool":
        return "true" if value else "false"
    if not dtype.startswith(("f", "bf")):
        if value != int(value):
            raise UsageError(f"{value} stands beside a value of type {dtype}: cast one of them")
        return str(int(value))
    return repr(float(value))


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_attribute, value))}]"
    return repr(value)


class Ops:
    """Every op of the IR: ops.reduce_mean(x, axes=[-1], keepdims=True)."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def op(*inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
            trace = next((value.trace for value in inputs if isinstance(value, Value)), None)
            if trace is None:
                raise UsageError(f"ops.{name}: at least one operand is a value of the function's arguments")
            return trace.call(name, *inputs, outputs=outputs, **attributes)

        return op


ops = Ops()


class Traced:
    """One call's function as a graph, with the structure of its results."""

    def __init__(self, function: Callable[..., Any], types: Sequence[tuple[str, tuple[int | str, ...]]], leaves: Sequence[Any], spec: pytree.TreeSpec) -> None:
        trace = Trace(types)
        values = iter(trace.inputs)
        filled = [next(values) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        results, self.spec = pytree.tree_flatten(function(*args, **kwargs))
        if not results or not all(isinstance(result, Value) for result in results):
            raise UsageError(f"{_name(function)}: a function over IR values returns values, or a structure of them, not {results}")
        names = [result.name for result in results]
        self.types = trace.types(names)
        self.text = trace.text(names)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def _dtype(tensor: torch.Tensor) -> str:
    if tensor.dtype not in DTYPES:
        raise UsageError(f"a function over IR values takes no tensors of {tensor.dtype}")
    return DTYPES[tensor.dtype]


def _emit(function: Callable[..., Any], leaves: Sequence[Any], spec: pytree.TreeSpec) -> Any:
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
            raise Error(f"{_name(function)}: the size '{text}' of its results depends on data") from error

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

    tensors = [without_gradient(leaf, _name(function)) for leaf in leaves if isinstance(leaf, torch.Tensor)]
    traced = Traced(function, [(_dtype(tensor), tuple(tensor.shape)) for tensor in tensors], leaves, spec)
    results = _burnish.evaluate_trace(traced.text, [tensor.cpu().contiguous() for tensor in tensors])
    where = tensors[0].device
    made = [torch.from_numpy(result) if isinstance(result, numpy.ndarray) else torch.from_dlpack(result) for result in results]
    return pytree.tree_unflatten([tensor.to(where) for tensor in made], traced.spec)


def _is_traced(leaves: Sequence[Any]) -> bool:
    return any(isinstance(leaf, torch._subclasses.FakeTensor) for leaf in leaves)


def user_op(function: Callable[..., Any]) -> Callable[..., Any]:
    """An op of PyTorch modules that is written as a function over IR values.

    Called with tensors it computes with the reference kernels, on the host and without gradients; in a module that
    burnish.compile takes, its arithmetic becomes part of the model. Called inside another such function, it is inlined.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = pytree.tree_flatten((args, kwargs))
        if any(isinstance(leaf, Value) for leaf in leaves):
            return function(*args, **kwargs)
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            raise UsageError(f"{_name(function)}: at least one argument is a tensor")
        return (_emit if _is_traced(leaves) else _evaluate)(function, leaves, spec)

    return call


#: Functions over IR values that stand for others in modules, by the others' names.
_converters: dict[str, Callable[..., Any]] = {}


def converter(method: str, *, enabled: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What stands for a function or method in modules that are compiled: for a user's own op, or in place of PyTorch's.

        @converter("mylib.ops.scaled_swish")
        def convert(x, beta):
            return x * ops.sigmoid(x * beta)

    `method` is the dotted name by which the module's code reaches it ("torch.nn.functional.gelu", "torch.Tensor.relu",
    "mylib.Layer.forward"); the function takes the call's arguments, with IR values for tensors.
    """

    if enabled:
        _owner(method)  # there must be such a thing

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if enabled:
            _converters[method] = function
        return function

    return register


def _owner(method: str) -> tuple[Any, str]:
    """The module or class that holds it, and its name there."""
    parts = method.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        try:
            for part in parts[cut:-1]:
                owner = getattr(owner, part)
            getattr(owner, parts[-1])
        except AttributeError:
            break
        return owner, parts[-1]
    raise UsageError(f"converter: there is nothing called '{method}'; give the dotted name by which code reaches it, as 'torch.nn.functional.gelu'")


@contextlib.contextmanager
def converters_in_place() -> Iterator[None]:
    """While PyTorch traces a module: converters stand for what they convert."""
    replaced: list[tuple[Any, str, Any]] = []

    def standing_for(original: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            leaves, spec = pytree.tree_flatten((args, kwargs))
            return _emit(function, leaves, spec) if _is_traced(leaves) else original(*args, **kwargs)

        return call

    try:
        for method, function in _converters.items():
            owner, name = _owner(method)
            original = getattr(owner, name)
            replaced.append((owner, name, original))
            setattr(owner, name, standing_for(original, function))
        yield
    finally:
        for owner, name, original in reversed(replaced):
            setattr(owner, name, original)
