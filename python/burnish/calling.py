"""How a PyTorch module is called: what stands between its arguments and a flat list of tensors, and back.

A `Calling` is plain data, kept as JSON in the engine, so that a saved module is called like the original without the
original's code.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ._burnish import UsageError

#: What may stand among the arguments and results beside tensors; compiled in as it is.
CONSTANTS = (type(None), bool, int, float, str)


@dataclass
class Leaf:
    """One leaf of the arguments or the results."""

    kind: str  #: "tensor" (of the engine, by name), "constant", "argument" (a result that is an argument), or "int"
    value: Any  #: the tensor's name, the constant, or the argument's position among the tensors


@dataclass
class Parameters:
    """The names of forward()'s parameters."""

    positional: list[str]
    keyword_only: list[str] = field(default_factory=list)
    rest: str | None = None  #: *rest
    keywords: str | None = None  #: **keywords
    defaults: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(function: Callable[..., Any]) -> Parameters:
        found = Parameters([])
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind == parameter.VAR_POSITIONAL:
                found.rest = parameter.name
            elif parameter.kind == parameter.VAR_KEYWORD:
                found.keywords = parameter.name
            elif parameter.kind == parameter.KEYWORD_ONLY:
                found.keyword_only.append(parameter.name)
            else:
                found.positional.append(parameter.name)
            if isinstance(parameter.default, CONSTANTS):
                found.defaults[parameter.name] = parameter.default
        return found

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by the names of their parameters, as Python would bind them; without the defaults."""
        bound = dict(zip(self.positional, args, strict=False))
        if len(args) > len(self.positional):
            if self.rest is None:
                raise UsageError(f"expected at most {len(self.positional)} positional arguments, got {len(args)}")
            bound[self.rest] = tuple(args[len(self.positional) :])
        more = {}
        for name, value in kwargs.items():
            if name in bound:
                raise UsageError(f"there are two values for argument '{name}'")
            if name in self.positional or name in self.keyword_only:
                bound[name] = value
            elif self.keywords is not None:
                more[name] = value
            else:
                raise UsageError(f"there is no argument '{name}'; there are {', '.join(self.positional + self.keyword_only)}")
        if more and self.keywords is not None:
            bound[self.keywords] = more
        return bound

    def unbind(self, bound: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The inverse: positional and keyword arguments."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name in self.positional:
            if name not in bound:
                break
            args.append(bound[name])
        for name, value in bound.items():
            if name == self.rest:
                args.extend(value)
            elif name == self.keywords:
                kwargs.update(value)
            elif name not in self.positional[: len(args)]:
                kwargs[name] = value
        return tuple(args), kwargs


@dataclass
class Calling:
    """How to call, and what comes back."""

    parameters: Parameters
    names: list[str]  #: the bound parameters, in the order of the leaves
    arguments: list[Leaf]
    arguments_spec: pytree.TreeSpec
    results: list[Leaf]
    results_spec: pytree.TreeSpec

    def __post_init__(self) -> None:
        #: Where all arguments are positional tensors there is nothing to flatten.
        self.plain = self.names == self.parameters.positional[: len(self.names)] == [leaf.value for leaf in self.arguments]

    def tensors(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
        """The tensors among the arguments, flat. Raises UsageError for arguments of another structure."""
        if self.plain and not kwargs and len(args) == len(self.names) and all(isinstance(arg, torch.Tensor) for arg in args):
            return list(args)
        bound = self._in_order(self.parameters.bind(args, kwargs))
        leaves, spec = pytree.tree_flatten(bound)
        if spec != self.arguments_spec:
            raise UsageError(f"the arguments have another structure than the example inputs: expected {self.arguments_spec}, got {spec}")
        tensors = []
        for path, leaf, given in zip(self._paths(), self.arguments, leaves, strict=True):
            if leaf.kind == "constant":
                if given != leaf.value or type(given) is not type(leaf.value):
                    raise UsageError(f"argument '{path}' was compiled in as {leaf.value!r}, so it cannot be {given!r}; compile with that value")
            elif not isinstance(given, torch.Tensor):
                raise UsageError(f"argument '{path}': expected a tensor, got {type(given).__name__}")
            else:
                tensors.append(given)
        return tensors

    def _in_order(self, bound: dict[str, Any]) -> dict[str, Any]:
        for name in [name for name in bound if name not in self.names]:
            if name in self.parameters.defaults and bound[name] is self.parameters.defaults[name]:
                continue
            raise UsageError(f"argument '{name}' was not among the example inputs; compile with it")
        defaults = self.parameters.defaults
        missing = [name for name in self.names if name not in bound and name not in defaults]
        if missing:
            raise UsageError(f"argument '{missing[0]}' is missing")
        return {name: bound[name] if name in bound else defaults[name] for name in self.names}

    def _paths(self) -> list[str]:
        filled = pytree.tree_unflatten(list(range(self.arguments_spec.num_leaves)), self.arguments_spec)
        return [leaf_name(path) for path, _ in pytree.tree_flatten_with_path(filled)[0]]

    def structured(self, outputs: Mapping[str, torch.Tensor], arguments: Sequence[torch.Tensor]) -> Any:
        """What the module gives, of the engine's outputs by name."""
        leaves: list[Any] = []
        for leaf in self.results:
            if leaf.kind == "tensor":
                leaves.append(outputs[leaf.value])
            elif leaf.kind == "int":
                leaves.append(int(outputs[leaf.value]))
            else:
                leaves.append(arguments[leaf.value] if leaf.kind == "argument" else leaf.value)
        return pytree.tree_unflatten(leaves, self.results_spec)

    def to_json(self) -> str:
        return json.dumps({
            "parameters": vars(self.parameters),
            "names": self.names,
            "arguments": [[leaf.kind, leaf.value] for leaf in self.arguments],
            "arguments_spec": pytree.treespec_dumps(self.arguments_spec),
            "results": [[leaf.kind, leaf.value] for leaf in self.results],
            "results_spec": pytree.treespec_dumps(self.results_spec),
        })  # fmt: skip

    @staticmethod
    def from_json(text: str) -> Calling:
        stored = json.loads(text)
        return Calling(
            Parameters(**stored["parameters"]),
            stored["names"],
            [Leaf(*leaf) for leaf in stored["arguments"]],
            pytree.treespec_loads(stored["arguments_spec"]),
            [Leaf(*leaf) for leaf in stored["results"]],
            pytree.treespec_loads(stored["results_spec"]),
        )


def leaf_name(path: Sequence[Any]) -> str:
    """A leaf's place as a name: ["d"]["b"][0] is d.b.0."""
    parts = []
    for key in path:
        for attribute in ("key", "idx", "name"):
            if hasattr(key, attribute):
                parts.append(str(getattr(key, attribute)))
                break
    return ".".join(parts)
