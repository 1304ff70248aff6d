"""compile() and load()."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

from . import _burnish
from .module import Module, module_of
from .progress import progress_bar

if TYPE_CHECKING:
    from .torch_module import TorchModule

Shapes = Mapping[str, Sequence[int]]


class ModelProto(Protocol):
    """An onnx.ModelProto, by the one method that is called."""

    def SerializeToString(self) -> bytes: ...


class TorchCallable(Protocol):
    """A torch.nn.Module, by the method that it is compiled for."""

    @property
    def forward(self) -> Callable[..., Any]: ...


@overload
def compile(
    model: str | os.PathLike[str] | bytes | ModelProto,
    *,
    shapes: Shapes | None = None,
    min_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    precision: str | Sequence[str] | None = None,
    device: str | None = None,
    threads: int = 0,
    streams: int = 0,
    io: Mapping[str, str] | None = None,
    tuning_cache: str | os.PathLike[str] | None = None,
    tune: Literal["measure", "model"] = "measure",
    progress: bool | Callable[[float, str], object] | None = None,
    log: Callable[[str], object] | None = None,
) -> Module: ...


@overload
def compile(
    model: TorchCallable,
    example_inputs: Any = None,
    *,
    example_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    min_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    precision: str | Sequence[str] | None = None,
    device: str | None = None,
    threads: int = 0,
    streams: int = 0,
    io: Mapping[str, str] | None = None,
    tuning_cache: str | os.PathLike[str] | None = None,
    tune: Literal["measure", "model"] = "measure",
    progress: bool | Callable[[float, str], object] | None = None,
    log: Callable[[str], object] | None = None,
) -> TorchModule: ...


def compile(
    model: Any,
    example_inputs: Any = None,
    *,
    example_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    shapes: Shapes | None = None,
    min_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    precision: str | Sequence[str] | None = None,
    device: str | None = None,
    threads: int = 0,
    streams: int = 0,
    io: Mapping[str, str] | None = None,
    tuning_cache: str | os.PathLike[str] | None = None,
    tune: Literal["measure", "model"] = "measure",
    progress: bool | Callable[[float, str], object] | None = None,
    log: Callable[[str], object] | None = None,
) -> Module:
    """Optimise a model for a device. Ctrl-C ends it, and leaves nothing behind.

    model         the path of an .onnx file, its bytes, or an onnx.ModelProto: gives a Module that takes a dict of
                  arrays; or a torch.nn.Module in evaluation mode: gives one that is called like it
    example_inputs, example_kwargs
                  for a torch.nn.Module, what it is called with: a tuple of positional arguments (or a single one),
                  and keyword arguments. What is no tensor among them is compiled in
    dynamic_shapes
                  for a torch.nn.Module, the dimensions that may change, as torch.export takes them
    shapes        fixes the shapes of inputs: {"x": (1, 3, 224, 224)}
    min_shapes, opt_shapes, max_shapes
                  the range of a dynamic input, and the shape that it is tuned for (default: the largest; for a
                  torch.nn.Module the ranges of dynamic_shapes, tuned for the example's shape)
    precision     what may be used beside float32, a name or several: "fp32", "tf32", "fp16", "bf16", "int8", "fp8"
                  (default: "fp32" on the CPU, "tf32" on a GPU)
    device        "cpu", "cuda", "cuda:1" or "reference" (default: for a torch.nn.Module where its parameters lie, else
                  cuda where a GPU is, else cpu)
    threads       CPU threads in all (default: what the process may use)
    streams       the most GPU streams (default: chosen by measuring)
    io            the type and layout in which an input or output is handed over: {"x": "fp16:nhwc"}
    tuning_cache  a file of measured times, "none" for none (default: in the user's cache folder, or the one that
                  BURNISH_CACHE names)
    tune          "measure" times the candidates, "model" takes the first choice untimed
    progress      True or False, or a function of the fraction done and what is being done (default: a bar on
                  standard error where that is a terminal)
    log           a function that gets each line of the build's log

    Raises `burnish.Error` that names the node, file, input or option that is wrong.
    """
    with progress_bar(progress) as report:
        options = build_options(
            shapes=shapes,
            min_shapes=min_shapes,
            opt_shapes=opt_shapes,
            max_shapes=max_shapes,
            precision=precision,
            device=device,
            threads=threads,
            streams=streams,
            io=io,
            tuning_cache=tuning_cache,
            tune=tune,
            progress=report,
            log=log,
        )
        torch = sys.modules.get("torch")  # whoever has a module of PyTorch's has imported it
        if torch is not None and isinstance(model, torch.nn.Module):
            from .torch_module import compile_module

            return compile_module(model, example_inputs, example_kwargs, dynamic_shapes, options)
        if (example_inputs, example_kwargs, dynamic_shapes) != (None, None, None):
            raise _burnish.UsageError("example_inputs, example_kwargs and dynamic_shapes are for modules of PyTorch; an ONNX model has shapes")
        return Module(_burnish.Engine.build(_source(model), {}, **options))


def build_options(
    *,
    shapes: Shapes | None = None,
    min_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    precision: str | Sequence[str] | None = None,
    device: str | None = None,
    threads: int = 0,
    streams: int = 0,
    io: Mapping[str, str] | None = None,
    tuning_cache: str | os.PathLike[str] | None = None,
    tune: Literal["measure", "model"] = "measure",
    progress: Callable[[float, str], object] | None = None,
    log: Callable[[str], object] | None = None,
) -> dict[str, Any]:
    """compile()'s options as Engine.build takes them."""
    return {
        "shapes": _lists(shapes),
        "min_shapes": _lists(min_shapes),
        "opt_shapes": _lists(opt_shapes),
        "max_shapes": _lists(max_shapes),
        "precision": [precision] if isinstance(precision, str) else list(precision or ()),
        "device": device or "",
        "threads": threads,
        "streams": streams,
        "io": dict(io or {}),
        "tuning_cache": None if tuning_cache is None else os.fspath(tuning_cache),
        "measure": _measure(tune),
        "progress": progress,
        "log": log,
    }


def load(
    path: str | os.PathLike[str],
    *,
    device: str | None = None,
    threads: int = 0,
    log: Callable[[str], object] | None = None,
) -> Module:
    """Load what `Module.save` or `burnish build` wrote. What was compiled from a module of PyTorch is called like that.

    path          the engine file
    device        "cpu", "cuda", "cuda:1" or "reference" (default: the one that it was built for). On another one, or on
                  another chip, kernels are chosen anew, untimed, and `log` is told
    threads       CPU threads in all (default: what the process may use)
    log           a function that gets each line of what there is to say

    Raises `burnish.Error` that names the file and what is wrong with it.
    """
    return module_of(_burnish.Engine.load(os.fspath(path), device or "", threads, log))


def _source(model: str | os.PathLike[str] | bytes | ModelProto) -> str | bytes:
    """A path or bytes."""
    if isinstance(model, bytes):
        return model
    if isinstance(model, str | os.PathLike):
        return os.fspath(model)
    if hasattr(model, "SerializeToString"):
        return model.SerializeToString()
    raise _burnish.UsageError(f"model: expected a path, bytes, an onnx.ModelProto or a torch.nn.Module, got {type(model).__name__}")


def _lists(shapes: Shapes | None) -> dict[str, list[int]]:
    return {name: [int(dim) for dim in shape] for name, shape in (shapes or {}).items()}


def _measure(tune: str) -> bool:
    if tune not in ("measure", "model"):
        raise _burnish.UsageError(f"tune={tune!r}: expected 'measure' or 'model'")
    return tune == "measure"
