"""A compiled PyTorch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from . import _burnish
from .calling import Calling, leaf_name
from .export import without_gradient
from .module import Module
from .weights import new_weights

#: CUDA's legacy default stream has this handle where 0 would mean "none given".
LEGACY_STREAM = 1


class TorchModule(Module, torch.nn.Module):
    """A compiled PyTorch module: called like the original, it gives what that gives, without gradients.

    Tensors pass without copies where they are contiguous and lie where the engine runs; work on a GPU is enqueued on
    PyTorch's current stream. The results are the caller's to keep. With `out=`, tensors in the results' structure,
    the results are written there. Threads may call one module at the same time.

    It can be part of other modules, pickled, copied, and saved; it has no parameters of its own.
    """

    def __init__(self, engine: _burnish.Engine, calling: Calling) -> None:
        torch.nn.Module.__init__(self)
        Module.__init__(self, engine)
        self._calling = calling
        self._names = [leaf.value for leaf in calling.arguments if leaf.kind == "tensor"]
        #: The engine's outputs that the results are made of, and whether the results are just one of them.
        self._outputs = list(dict.fromkeys(leaf.value for leaf in calling.results if leaf.kind in ("tensor", "int")))
        self._only = calling.results_spec.is_leaf() and calling.results[0].kind == "tensor"
        self._signature = self._made_signature()
        self.training = False

    def _made_signature(self) -> _burnish.Signature:
        slots = [(position, name, False) for position, name in enumerate(self._names)]
        return _burnish.Signature(torch.Tensor, slots, self._outputs, self._only, len(slots), [], [])

    __call__ = torch.nn.Module.__call__  # hooks included

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, with the arguments of the original, in the shapes that it was compiled for.

        `out`, by keyword, gives tensors in the structure of the results, contiguous and of their shapes, to write into.
        Raises `burnish.UsageError` for arguments of another structure, and `burnish.Error` that names the argument whose
        type or shape is wrong, or that requires a gradient.
        """
        if self._only and not kwargs and self._calling.plain:  # the common case, in the fewest steps
            result = self._engine.call(self._signature, args)
            if result is not None:
                return result
        out = kwargs.pop("out", None) if "out" not in self._calling.names else None
        tensors = self._calling.tensors(args, kwargs)
        if out is None:
            results = self._engine.call(self._signature, tuple(tensors))
            if results is not None:
                outputs = dict(zip(self._outputs, [results] if self._only else results, strict=True))
                return self._calling.structured(outputs, tensors)
        inputs = {name: without_gradient(tensor, name).contiguous() for name, tensor in zip(self._names, tensors, strict=True)}
        outputs = call_by_name(self._engine, inputs, {} if out is None else self._places(out))
        return self._calling.structured(outputs, tensors)

    def _places(self, out: Any) -> dict[str, torch.Tensor]:
        """The tensors of `out` by the names of the engine's outputs."""
        leaves, spec = torch.utils._pytree.tree_flatten_with_path(out)
        if spec != self._calling.results_spec:
            raise _burnish.UsageError(f"out: expected the structure of the results, {self._calling.results_spec}")
        places = {}
        for (path, place), leaf in zip(leaves, self._calling.results, strict=True):
            if leaf.kind == "tensor":
                if not isinstance(place, torch.Tensor):
                    raise _burnish.UsageError(f"out: expected a tensor at '{leaf_name(path)}', got {type(place).__name__}")
                places[leaf.value] = place
        return places

    def refit(self, state_dict: Mapping[str, Any]) -> None:
        """Take in another state_dict of the module that was compiled, without tuning again.

        What was folded and merged of the weights (BatchNorm, siblings) is computed and packed again; all else is
        shared with the engine so far. Calls that run meanwhile end with the old weights. In float32 the results are
        those of a fresh `compile` with the same tuning cache, bit for bit. Raises `burnish.Error` that names a tensor
        that is missing, unknown, of another type or shape, or compiled in; then nothing has changed.
        """
        sources = self._engine.metadata.get("burnish.weights")
        if sources is None:
            raise _burnish.Error("the engine was saved without the names of its weights: compile the module again")
        self._engine = self._engine.refit(new_weights(sources, state_dict))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key != "_signature"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._signature = self._made_signature()

    def __deepcopy__(self, memo: dict[int, Any]) -> TorchModule:
        return TorchModule(self._engine, self._calling)

    def extra_repr(self) -> str:
        return Module.__repr__(self)


def compile_module(
    module: torch.nn.Module, example_inputs: Any, example_kwargs: Mapping[str, Any] | None, dynamic_shapes: Any, options: dict[str, Any]
) -> TorchModule:
    """compile() for a PyTorch module; `options` is for Engine.build."""
    from .export import export

    args = example_inputs if isinstance(example_inputs, tuple) else () if example_inputs is None else (example_inputs,)
    exported = export(module, args, example_kwargs or {}, dynamic_shapes)
    if not options["device"]:
        first = next(module.parameters(), None)
        options["device"] = str(first.device) if first is not None and first.is_cuda else "cpu"
    for kind in ("min_shapes", "opt_shapes", "max_shapes"):
        options[kind] = getattr(exported, kind) | options[kind]
    return TorchModule(_burnish.Engine.build(exported.model, exported.weights, **options), exported.calling)


def loaded_module(engine: _burnish.Engine, calling: str) -> TorchModule:
    """What was compiled from a PyTorch module and saved."""
    return TorchModule(engine, Calling.from_json(calling))


def call_by_name(engine: _burnish.Engine, inputs: Mapping[str, torch.Tensor], places: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A run with tensors that may lie elsewhere than the engine, into those of the caller's that are in `places`."""
    gpu = next((tensor.device for tensor in inputs.values() if tensor.is_cuda), None)
    stream = None if gpu is None else torch.cuda.current_stream(gpu).cuda_stream or LEGACY_STREAM
    results = engine.run(dict(inputs), dict(places), stream)
    return {name: places[name] if name in places else _tensor(array) for name, array in results.items()}


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_dlpack(array) if isinstance(array, _burnish.Array) else torch.from_numpy(array)
