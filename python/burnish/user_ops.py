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

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from torch.utils import _pytree as pytree

from . import _burnish
from ._burnish import UsageError
from .converters import converter
from .trace import Value, ops
from .traced_call import Traced, name_of, op_of_modules

__all__ = ["Value", "converter", "ops", "python_op", "user_op"]


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
                raise UsageError(f"{name_of(function)}: '{name}' is {value}; numbers that CUDA text sees are finite")
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
                raise UsageError(f"{name_of(function)}: 'threads' and 'name' say something of CUDA text, and there is none")
            return op_of_modules(function)
        called = str(name or getattr(function, "__name__", ""))
        if not called.isidentifier():
            raise UsageError(f"{name_of(function)}: give the 'name' of the function that the CUDA text defines")
        if called not in cuda:
            raise UsageError(f"{name_of(function)}: the CUDA text defines no function '{called}'")
        if threads is not None and not 1 <= threads <= 1024:
            raise UsageError(f"{name_of(function)}: threads={threads}; a block has 1 to 1024")
        return op_of_modules(_cuda_op(function, cuda, threads, called))

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

        return op_of_modules(functools.update_wrapper(_node("host_function", like, attributes), function))

    return decorate
