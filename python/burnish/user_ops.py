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

With `cuda=`, such a function is the reference of a kernel written in CUDA C++. What neither can say is a `python_op`: a
callable over NumPy arrays, which runs in this process alone.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.utils import _pytree as pytree

from . import _burnish
from ._burnish import Error, UsageError

__all__ = ["Value", "converter", "ops", "python_op", "user_op"]

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
        self._head = f"({', '.join(f'%x{i}: {type_}' for i, type_ in enumerate(types))}) {{\n"
        self._lines: list[str] = []
        self._made = 0
        self.inputs = [Value(self, f"%x{i}", dtype, shape) for i, (dtype, shape) in enumerate(inputs)]

    def body(self, results: Sequence[str]) -> str:
        """The whole graph without its name; `results` are names of values."""
        return f"{self._head}{''.join(self._lines)}  yield {', '.join(f'y{i}={name}' for i, name in enumerate(results))}\n}}"

    def text(self, results: Sequence[str]) -> str:
        """The whole graph."""
        return f"graph traced{self.body(results)}"

    def types(self, results: Sequence[str]) -> list[tuple[str, tuple[int | str, ...]]]:
        """Inferred by the core."""
        return [(dtype, tuple(int(dim) if dim.isdigit() else dim for dim in dims)) for dtype, dims in _burnish.trace_types(self.text(results))]

    def call(self, op: str, *inputs: Any, outputs: int = 1, body: str = "", **attributes: Any) -> Any:
        """Adds a node, and gives its result, or a tuple of `outputs` results; `body` is a graph's text without its name."""
        like = next((value.dtype for value in inputs if isinstance(value, Value)), "f32")
        operands = [self._operand(value, like) for value in inputs]
        names = [f"%v{self._made + i}" for i in range(outputs)]
        braces = ", ".join(f"{name}={_attribute(value)}" for name, value in attributes.items())
        line = f"  {', '.join(names)} = {op}({', '.join(operands)}){f' {{{braces}}}' if braces else ''}{body and f' body {body}'} : {', '.join('_' * outputs)}\n"
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
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_attribute, value))}]"
    return repr(value)


def _quoted(text: str) -> str:
    """The IR's strings know fewer escapes than JSON's."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    return '"' + "".join(escapes.get(c) or (c if " " <= c <= "~" else "".join(f"\\x{byte:02x}" for byte in c.encode())) for c in text) + '"'


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
    """One call's function as a graph, with the structure of its results; values stand for tensors among the leaves."""

    def __init__(self, function: Callable[..., Any], types: Sequence[tuple[str, tuple[int | str, ...]]], leaves: Sequence[Any], spec: pytree.TreeSpec) -> None:
        trace = Trace(types)
        values = iter(trace.inputs)
        filled = [next(values) if isinstance(leaf, torch.Tensor | Value) else leaf for leaf in leaves]
        args, kwargs = pytree.tree_unflatten(filled, spec)
        results, self.spec = pytree.tree_flatten(function(*args, **kwargs))
        if not results or not all(isinstance(result, Value) for result in results):
            raise UsageError(f"{_name(function)}: a function over IR values returns values, or a structure of them, not {results}")
        names = [result.name for result in results]
        self.types = trace.types(names)
        self.text = trace.text(names)
        self.body = trace.body(names)


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


def _op_of_modules(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function over values as one that modules may call with tensors."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = pytree.tree_flatten((args, kwargs))
        if any(isinstance(leaf, Value) for leaf in leaves):
            return function(*args, **kwargs)
        if not any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            raise UsageError(f"{_name(function)}: at least one argument is a tensor")
        return (_emit if _is_traced(leaves) else _evaluate)(function, leaves, spec)

    return call


def _node(op: str, reference: Callable[..., Any], attributes: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """A function over values that adds one node, whose body is the graph of `reference`."""

    @functools.wraps(reference)
    def add(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = pytree.tree_flatten((args, kwargs))
        values = [leaf for leaf in leaves if isinstance(leaf, Value)]
        traced = Traced(reference, [(value.dtype, value.shape) for value in values], leaves, spec)
        outputs = len(traced.types)
        results = values[0].trace.call(op, *values, outputs=outputs, body=traced.body, **attributes(*args, **kwargs))
        return pytree.tree_unflatten(list(results) if outputs > 1 else [results], traced.spec)

    return add


def _constants(function: Callable[..., Any], args: Any, kwargs: Any) -> str:
    """The numbers of a call as constants of C++, by the names of the function's parameters."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    double = any(isinstance(value, Value) and value.dtype == "f64" for value in bound.arguments.values())
    text = ""
    for name, value in bound.arguments.items():
        if isinstance(value, bool | int):
            type_ = "bool" if isinstance(value, bool) else "int" if -(2**31) < value < 2**31 else "long long"
            text += f"constexpr {type_} {name} = {str(value).lower()}; "
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise UsageError(f"{_name(function)}: '{name}' is {value}; numbers that CUDA text sees are finite")
            text += f"constexpr {'double' if double else 'float'} {name} = {value.hex()}{'' if double else 'f'}; "
    return text


def _cuda_op(reference: Callable[..., Any], cuda: str, threads: int | None, name: str) -> Callable[..., Any]:
    def attributes(*args: Any, **kwargs: Any) -> dict[str, Any]:
        text = f"{_constants(reference, args, kwargs)}\n#line 1\n{cuda}"
        return {"name": name, "cuda": text} | ({} if threads is None else {"threads": threads})

    return _node("user_pointwise" if threads is None else "user_kernel", reference, attributes)


def user_op(function: Callable[..., Any] | None = None, *, cuda: str | None = None, threads: int | None = None, name: str | None = None) -> Callable[..., Any]:
    """An op of PyTorch modules that is written as a function over IR values, and on a GPU as CUDA C++ where that is given.

    Called with tensors it computes with the reference kernels, on the host and without gradients; in a module that
    burnish.compile takes, its arithmetic becomes part of the model. Called inside another such function, it is inlined.

    `cuda` is text of CUDA C++ that defines a device function of the function's name (or of `name`), for which the function
    is then the reference: it gives the types of the results, runs wherever the text cannot, and is what the kernel's results
    are compared with before it is taken; where they differ, or the text does not compile, the reference runs and the
    build's log says why.

        @user_op(cuda="__device__ float scaled_swish(float x) { return x / (1 + __expf(-beta * x)); }")
        def scaled_swish(x, beta):
            return x * ops.sigmoid(x * beta)

    Without `threads` the op is pointwise, with one result: the text's function takes an element of each tensor, those of
    16-bit floats as float, and gives the result's. It joins what stands before and behind it in one kernel.

    With `threads` it is a kernel: every thread of a grid of blocks of that many calls the function, with a burnish::Tensor
    for each tensor and then for each result, which have `data`, `size(axis)` and `count()`:

        template <class X, class Y> __device__ void half_of(X x, Y y) {
          for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < y.count(); i += gridDim.x * blockDim.x) y.data[i] = x.data[i] / 2;
        }

    How many blocks there are is measured, so it must share out the work whatever gridDim.x is.

    Numbers among the arguments are constants of the text by the parameters' names, as `beta` is above.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if cuda is None:
            if threads is not None or name is not None:
                raise UsageError(f"{_name(function)}: 'threads' and 'name' say something of CUDA text, and there is none")
            return _op_of_modules(function)
        called = str(name or getattr(function, "__name__", ""))
        if not called.isidentifier():
            raise UsageError(f"{_name(function)}: give the 'name' of the function that the CUDA text defines")
        if called not in cuda:
            raise UsageError(f"{_name(function)}: the CUDA text defines no function '{called}'")
        if threads is not None and not 1 <= threads <= 1024:
            raise UsageError(f"{_name(function)}: threads={threads}; a block has 1 to 1024")
        return _op_of_modules(_cuda_op(function, cuda, threads, called))

    return decorate if function is None else decorate(function)


#: What python_ops call, for as long as Python runs: engines hold numbers alone.
_kept: list[Callable[..., Any]] = []


def python_op(like: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An op that is any Python callable, which Burnish cannot look into.

        @python_op(like=lambda boxes, scores: scores)
        def suppressed(boxes, scores):              # NumPy arrays in
            return my_library.soft_nms(boxes, scores)  # NumPy arrays, or anything with __dlpack__ on the host, out

    `like` takes IR values and returns values of the results' types; it is never run. The callable gets a call's tensors
    as NumPy arrays (`burnish.Array` for types that NumPy lacks) of its own, and everything else as it is; it returns one
    array or a tuple of them. It runs on the host, wherever the rest does, on any thread, and a build may call it with
    random data. An engine with it cannot be saved. What it raises comes out of the run as the cause of a `burnish.Error`
    with its name.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        called = getattr(function, "__name__", repr(function))
        ids: dict[Any, int] = {}  # by what a call gives besides tensors

        def attributes(*args: Any, **kwargs: Any) -> dict[str, Any]:
            leaves, spec = pytree.tree_flatten((args, kwargs))

            def run(*arrays: Any) -> Any:
                given = iter(arrays)
                again, keywords = pytree.tree_unflatten([next(given) if isinstance(leaf, Value) else leaf for leaf in leaves], spec)
                return function(*again, **keywords)

            kind = (repr(spec), *((type(leaf), None if isinstance(leaf, Value) else leaf) for leaf in leaves))
            if kind not in ids:
                ids[kind] = _burnish.add_function(called, run)
                _kept.append(run)
            return {"name": called, "id": ids[kind]}

        return _op_of_modules(functools.update_wrapper(_node("host_function", like, attributes), function))

    return decorate


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
