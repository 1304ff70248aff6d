"""The weights of a PyTorch module in an engine: which of the model's initializers each entry of its state_dict is.

What PyTorch's exporter folds of weights could not be told apart later, so its optimiser sees them as inputs; Burnish
folds them itself, and knows how to do it again (Engine.refit).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ._burnish import Error, UsageError

#: For each name of a state_dict: the initializer that it is; or the hash of a tensor that is compiled in; or None for
#: one that the model does not read.
Sources = dict[str, dict[str, str] | None]


def weight_sources(module: torch.nn.Module, prefix: str, initializers: Mapping[str, Any]) -> Sources:
    """Finds the module's tensors among a model's initializers, which are called after them. Integers are compiled in."""
    names: dict[Any, str] = {}  # tensors that several names share are one initializer, called by one of them
    state = module.state_dict(keep_vars=True)
    for key, tensor in state.items():
        if isinstance(tensor, torch.Tensor) and prefix + key in initializers:
            names[_identity(tensor)] = prefix + key
    sources: Sources = {}
    for key, tensor in state.items():
        name = names.get(_identity(tensor)) if isinstance(tensor, torch.Tensor) else None
        sources[key] = None if name is None else {"initializer": name} if tensor.is_floating_point() else {"sha1": _hash(tensor)}
    return sources


@contextlib.contextmanager
def without_weights(onnx: Any, sources: Sources) -> Iterator[None]:
    """Weights of an ONNXProgram are inputs of its model meanwhile, which nothing folds into what it computes."""
    graph = onnx.model.graph
    kept: dict[str, Any] = {}
    for source in sources.values():
        if source is not None and (name := source.get("initializer")) is not None and name in graph.initializers:
            value = graph.initializers.pop(name)
            kept[name], value.const_value = value.const_value, None
            graph.inputs.append(value)
    yield
    graph = onnx.model.graph
    for value in list(graph.inputs):
        if value.name in kept:
            graph.inputs.remove(value)
            value.const_value = kept[value.name]
            graph.initializers[value.name] = value


def new_weights(sources: str, state_dict: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors of a state_dict by the names of the initializers that they are.

    Raises UsageError for names that are missing or unknown, and Error for values that cannot be taken in.
    """
    known: Sources = json.loads(sources)
    missing, unknown = known.keys() - state_dict.keys(), state_dict.keys() - known.keys()
    if missing or unknown:
        which = [f"{kind} '{min(names)}'" for kind, names in (("there is no", missing), ("the module has no", unknown)) if names]
        raise UsageError(f"state_dict: {', and '.join(which)}; refit takes the state_dict of the same module")
    weights: dict[str, torch.Tensor] = {}
    for key, source in known.items():
        tensor = state_dict[key]
        if source is None:
            continue
        if not isinstance(tensor, torch.Tensor):
            raise UsageError(f"state_dict: '{key}' is no tensor but {type(tensor).__name__}")
        if "sha1" in source:
            if _hash(tensor) != source["sha1"]:
                raise Error(f"'{key}' is compiled in, since it holds no floating-point numbers: compile the module with its new values")
            continue
        name = source["initializer"]
        if name in weights and not torch.equal(weights[name], tensor.detach().cpu()):
            raise Error(f"'{key}' shared its memory with another tensor of the module's, and now has other values: compile the module anew")
        weights[name] = tensor.detach().cpu().contiguous()
    return weights


def _identity(tensor: torch.Tensor) -> Any:
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def _hash(tensor: torch.Tensor) -> str:
    data = tensor.detach().cpu().contiguous()
    return hashlib.sha1(str((data.dtype, tuple(data.shape))).encode() + data.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
