"""A torch.nn.Module as an ONNX model in memory, through torch.export and PyTorch's own exporter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.utils import _pytree as pytree

from ._burnish import Error, UsageError
from .calling import CONSTANTS, Calling, Leaf, Parameters, leaf_name
from .converters import converters_in_place
from .weights import weight_sources, without_weights

#: The largest size of a dimension for which dynamic_shapes gives no largest.
UNBOUNDED = 2**31 - 1

#: Weights of fewer bytes stay in the protobuf.
SMALL = 1024

Ranges = dict[str, list[int]]


@dataclass
class Exported:
    """A model, how it is called, and the shapes that it takes."""

    model: bytes
    weights: dict[str, Any]  #: arrays that stand for the model's files of external data
    calling: Calling
    min_shapes: Ranges
    opt_shapes: Ranges
    max_shapes: Ranges


class Results:
    """What a module gave when it was traced."""

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []
        self.spec: pytree.TreeSpec = pytree.treespec_leaf()

    def record(self, results: Any, tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """The tensors that were computed, each once."""
        leaves, self.spec = pytree.tree_flatten_with_path(results)
        outputs: dict[str, torch.Tensor] = {}
        self.leaves = [self._leaf(leaf_name(path) or "output", leaf, tensors, outputs) for path, leaf in leaves]
        return tuple(outputs.values())

    @staticmethod
    def _leaf(name: str, leaf: Any, tensors: Sequence[torch.Tensor], outputs: dict[str, torch.Tensor]) -> Leaf:
        """Says where a leaf of the results comes from; a new tensor is put among the outputs."""
        if isinstance(leaf, torch.Tensor):
            for position, tensor in enumerate(tensors):
                if leaf is tensor:
                    return Leaf("argument", position)
            for known, output in outputs.items():
                if leaf is output:
                    return Leaf("tensor", known)
            outputs[name] = leaf
            return Leaf("tensor", name)
        if isinstance(leaf, torch.SymInt):
            outputs[name] = torch.scalar_tensor(leaf, dtype=torch.int64)
            return Leaf("int", name)
        if isinstance(leaf, CONSTANTS):
            return Leaf("constant", leaf)
        raise UsageError(f"result '{name}': expected tensors, numbers, strings and None, got {type(leaf).__name__}")


class FlatModule(torch.nn.Module):
    """A module as a function from tensors to tensors; what else comes in is fixed, what else comes out is recorded."""

    def __init__(self, module: torch.nn.Module, call: Callable[[Sequence[torch.Tensor]], Any], results: Results) -> None:
        super().__init__()
        self.module = module
        self._call = call
        self._results = results  # an object of its own: export() undoes assignments to attributes

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        with AttentionOfFourDimensions():
            return self._results.record(self._call(tensors), tensors)


class AttentionOfFourDimensions(torch.overrides.TorchFunctionMode):
    """Scaled dot-product attention with other than one batch dimension as one with it: PyTorch's ONNX exporter has no other."""

    def __torch_function__(self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is not torch.nn.functional.scaled_dot_product_attention or not 3 <= len(args) <= 4 or args[0].dim() in (1, 2, 4):
            return function(*args, **kwargs)
        leading = args[0].shape[:-3]
        if any(tensor.shape[:-3] != leading for tensor in args[1:3]):
            return function(*args, **kwargs)
        mask = args[3] if len(args) == 4 else kwargs.pop("attn_mask", None)
        if mask is not None and mask.dim() > 3:
            mask = mask.expand(*leading, *mask.shape[-3:]).reshape(-1, *mask.shape[-3:])
        query, key, value = (tensor.reshape(-1, *tensor.shape[-3:]) for tensor in args[:3])
        result = function(query, key, value, attn_mask=mask, **kwargs)
        return result.reshape(*leading, *result.shape[-3:])


def export(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], dynamic_shapes: Any) -> Exported:
    """Export for inference. Raises Error for a module in training mode, and with PyTorch's words for one that it cannot export."""
    _require_inference(module)
    parameters = Parameters.of(module.forward)
    bound = parameters.bind(args, kwargs)
    leaves, spec = pytree.tree_flatten(bound)
    paths = [leaf_name(path) for path, _ in pytree.tree_flatten_with_path(bound)[0]]
    tensors: list[torch.Tensor] = []
    arguments: list[Leaf] = []
    names: list[str] = []
    for path, leaf in zip(paths, leaves, strict=True):
        if isinstance(leaf, torch.Tensor):
            example = without_gradient(leaf, path)
            # One tensor given twice would be traced as one argument.
            tensors.append(example.clone() if any(example is known for known in tensors) else example)
            names.append(path)
            arguments.append(Leaf("tensor", path))
        elif isinstance(leaf, CONSTANTS):
            arguments.append(Leaf("constant", leaf))
        else:
            raise UsageError(f"argument '{path}': expected tensors, numbers, strings and None, got {type(leaf).__name__}")

    def call(given: Sequence[torch.Tensor]) -> Any:
        rest = iter(given)
        filled = [next(rest) if leaf.kind == "tensor" else leaf.value for leaf in arguments]
        again, keywords = parameters.unbind(pytree.tree_unflatten(filled, spec))
        return module(*again, **keywords)

    results = Results()
    flat = FlatModule(module, call, results)
    specs = _flat_shapes(module, args, kwargs, bound, dynamic_shapes)
    with converters_in_place():
        program = _in_torch(lambda: torch.export.export(flat, tuple(tensors), dynamic_shapes=(tuple(specs),) if any(specs) else None, strict=False))
    outputs = list(dict.fromkeys(leaf.value for leaf in results.leaves if leaf.kind in ("tensor", "int")))
    if not outputs:
        raise UsageError("the module computes no tensor: its results are constants and its own arguments")
    calling = Calling(parameters, list(bound), arguments, spec, results.leaves, results.spec)
    with torch.no_grad():
        onnx = _in_torch(lambda: torch.onnx.export(program, dynamo=True, input_names=names, output_names=outputs, verbose=False, optimize=False))
    _require_pure(onnx.exported_program)  # whose graph is functional
    sources = weight_sources(module, "module.", onnx.model.graph.initializers)
    with without_weights(onnx, sources):
        _in_torch(onnx.optimize)
    onnx.model.metadata_props["burnish.calling"] = calling.to_json()
    onnx.model.metadata_props["burnish.weights"] = json.dumps(sources)
    weights = _detach_weights(onnx.model)
    low, best, high = _ranges(program, names, tensors)
    return Exported(onnx.model_proto.SerializeToString(), weights, calling, low, best, high)


def _detach_weights(model: Any) -> dict[str, Any]:
    """Replaces the large weights of an onnx_ir.Model by external data, and gives one copy of each by its location.

    A copy, so that training the module further does not change the engine; one, so that a protobuf's limit of 2 GB
    and its own copies do not matter.
    """
    import onnx_ir

    weights: dict[str, Any] = {}
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.nbytes < SMALL:
            continue
        location = f"weights/{len(weights)}"
        weights[location] = numpy.frombuffer(tensor.tobytes(), numpy.uint8)
        value.const_value = onnx_ir.ExternalTensor(location, 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=tensor.name)
    return weights


def without_gradient(tensor: torch.Tensor, name: str) -> torch.Tensor:
    """The tensor, or UsageError if a gradient is wanted of it."""
    if not tensor.requires_grad:
        return tensor
    if torch.is_grad_enabled():
        raise UsageError(f"argument '{name}' requires a gradient, and Burnish computes none: call under torch.no_grad(), or hand over {name}.detach()")
    return tensor.detach()


def _require_inference(module: torch.nn.Module) -> None:
    for name, part in module.named_modules():
        if part.training:
            where = f"its part '{name}'" if name else "the module"
            raise UsageError(f"{where} is in training mode, and Burnish compiles for inference: call module.eval() first")


def _in_torch(body: Callable[[], Any]) -> Any:
    """What PyTorch raises where it cannot export, as an Error with its cause."""
    try:
        return body()
    except (Error, KeyboardInterrupt):
        raise
    except ImportError as error:
        raise Error(f"PyTorch's ONNX exporter needs a package that is missing ({error}): pip install onnx onnxscript") from error
    except Exception as error:
        cause = error
        while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
            cause = cause.__cause__
        raise Error(f"PyTorch cannot export the module: {cause}") from error


def _require_pure(program: Any) -> None:
    changed = [*program.graph_signature.buffers_to_mutate.values(), *program.graph_signature.user_inputs_to_mutate.values()]
    if changed:
        raise Error(f"the module changes '{changed[0]}' when it runs; Burnish compiles modules that change nothing of theirs and of their arguments")


def _flat_shapes(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], bound: dict[str, Any], dynamic_shapes: Any) -> list[Any]:
    """One entry for each tensor among the arguments, of what torch.export takes in the arguments' own structure."""
    if hasattr(dynamic_shapes, "dynamic_shapes"):  # torch.export.ShapesCollection, AdditionalInputs
        dynamic_shapes = dynamic_shapes.dynamic_shapes(module, args, dict(kwargs))
    if isinstance(dynamic_shapes, tuple | list):
        dynamic_shapes = dict(zip(bound, dynamic_shapes, strict=True))
    flat: list[Any] = []

    def walk(value: Any, shapes: Any, path: str) -> None:
        if isinstance(value, torch.Tensor):
            flat.append(shapes)
            return
        children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
        for key, child in children:
            known = isinstance(shapes, Mapping) and key in shapes or isinstance(shapes, list | tuple) and key < len(shapes)
            walk(child, shapes[key] if known else None, f"{path}.{key}")

    for name in dynamic_shapes or {}:
        if name not in bound:
            raise UsageError(f"dynamic_shapes: there is no argument '{name}' among the example inputs; there are {', '.join(bound)}")
    for name, value in bound.items():
        walk(value, (dynamic_shapes or {}).get(name), name)
    return flat


def _ranges(program: Any, names: Sequence[str], tensors: Sequence[torch.Tensor]) -> tuple[Ranges, Ranges, Ranges]:
    """The least, best and largest shape of each input that is dynamic."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    low: Ranges = {}
    best: Ranges = {}
    high: Ranges = {}
    for name, placeholder, tensor in zip(names, program.graph_signature.user_inputs, tensors, strict=True):
        dims = nodes[placeholder].meta["val"].shape
        # A dimension that is computed of others follows from them.
        if all(isinstance(dim, int) for dim in dims) or not all(isinstance(dim, int) or dim.node.expr.is_symbol for dim in dims):
            continue
        ranges = [(dim, dim) if isinstance(dim, int) else _range(program.range_constraints[dim.node.expr]) for dim in dims]
        low[name], best[name], high[name] = [least for least, _ in ranges], list(tensor.shape), [most for _, most in ranges]
    return low, best, high


def _range(constraint: Any) -> tuple[int, int]:
    least, most = constraint.lower, constraint.upper
    # torch.export says 2 of a dimension with no least size, since it looks at a size of 1 apart; what it exports takes 1.
    return 1 if least <= 2 else int(least), min(UNBOUNDED, int(most)) if most.is_Integer else UNBOUNDED
