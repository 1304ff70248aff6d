"""Functions over IR values that stand for PyTorch's own, or for a library's, in modules that are compiled."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from torch.utils import _pytree as pytree

from ._burnish import UsageError
from .traced_call import emit, is_traced

__all__ = ["converter", "converters_in_place"]

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
            return emit(function, leaves, spec) if is_traced(leaves) else original(*args, **kwargs)

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
