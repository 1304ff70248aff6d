"""For scripts that were written for torch2trt: its function and its module, on Burnish.

    from burnish.torch2trt import torch2trt, TRTModule

    fast = torch2trt(module, [x], fp16_mode=True)
    torch.save(fast.state_dict(), "fast.pth")

    fast = TRTModule()
    fast.load_state_dict(torch.load("fast.pth"))

Arguments keep torch2trt's names and defaults; those that mean nothing here are accepted, with one warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
import torch

from ._burnish import UsageError
from .build import compile
from .module import engine_bytes, engine_from_bytes
from .torch_module import TorchModule, loaded_module
from .converters import converter

__all__ = ["TRTModule", "tensorrt_converter", "torch2trt"]

Shapes = Sequence[Sequence[int]]


class TRTModule(torch.nn.Module):
    """A compiled module that keeps its engine in its state_dict, so that torch.save and load_state_dict work."""

    def __init__(self, module: TorchModule | None = None) -> None:
        super().__init__()
        self._module = module
        self._register_state_dict_hook(_put_engine)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run once, with the arguments of the module that was compiled. Raises `burnish.Error` as that does."""
        if self._module is None:
            raise UsageError("this TRTModule is empty: call load_state_dict first")
        return self._module(*args, **kwargs)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Any, strict: bool, missing: list[str], unexpected: list[str], errors: list[str]
    ) -> None:
        engine = state_dict.get(prefix + "engine")
        if engine is None:
            missing.append(prefix + "engine")
            return
        loaded = engine_from_bytes(engine.numpy().tobytes())
        self._module = loaded_module(loaded, loaded.metadata["burnish.calling"])


def _put_engine(module: TRTModule, state_dict: dict[str, Any], prefix: str, metadata: Any) -> None:
    if module._module is not None:
        data = numpy.frombuffer(engine_bytes(module._module._engine), numpy.uint8)
        state_dict[prefix + "engine"] = torch.from_numpy(data.copy())


def torch2trt(
    module: torch.nn.Module,
    inputs: Any,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    log_level: Any = None,
    fp16_mode: bool = False,
    max_workspace_size: int = 1 << 25,
    strict_type_constraints: bool = False,
    keep_network: bool = True,
    int8_mode: bool = False,
    int8_calib_dataset: Any = None,
    int8_calib_algorithm: Any = None,
    use_onnx: bool = False,
    default_device_type: Any = None,
    dla_core: int = 0,
    gpu_fallback: bool = True,
    device_types: Mapping[Any, Any] | None = None,
    min_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    onnx_opset: int | None = None,
    max_batch_size: int | None = None,
    avg_timing_iterations: int | None = None,
    **unknown: Any,
) -> TRTModule:
    """Compile `module` for where it lies, as torch2trt does.

    inputs        what it is called with: a tensor or a list of arguments, whose shapes the engine is made for
    fp16_mode     float16 may be used
    min_shapes, opt_shapes, max_shapes
                  one shape for each tensor of `inputs`, for those whose dimensions range

    The others mean nothing here, and give one warning where they have other values than torch2trt's defaults. Raises
    UsageError for int8_mode, which needs calibration.
    """
    if unknown:
        raise UsageError(f"torch2trt has no argument '{next(iter(unknown))}'")
    if int8_mode or int8_calib_dataset is not None or int8_calib_algorithm is not None:
        raise UsageError("int8_mode: there is no calibration yet; use fp16_mode, or an ONNX model that is quantised already")
    idle = {
        "input_names": input_names is not None,
        "output_names": output_names is not None,
        "log_level": log_level is not None,
        "max_workspace_size": max_workspace_size != 1 << 25,
        "strict_type_constraints": strict_type_constraints,
        "keep_network": not keep_network,
        "use_onnx": use_onnx,
        "default_device_type": default_device_type is not None,
        "dla_core": dla_core != 0,
        "gpu_fallback": not gpu_fallback,
        "device_types": bool(device_types),
        "onnx_opset": onnx_opset is not None,
        "max_batch_size": max_batch_size is not None,
        "avg_timing_iterations": avg_timing_iterations is not None,
    }
    if any(idle.values()):
        warnings.warn(f"torch2trt: {', '.join(name for name, given in idle.items() if given)} mean nothing to Burnish, and are ignored", stacklevel=2)
    args = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    precision = ["fp16"] if fp16_mode else None
    dynamic = _dynamic_shapes(args, min_shapes, max_shapes)
    shapes = opt_shapes or [tuple(getattr(arg, "shape", ())) for arg in args]
    ranging = dynamic or ({},) * len(args)
    example = tuple(_sized(arg, _traceable(shape, axes)) for arg, shape, axes in zip(args, shapes, ranging, strict=True))
    return TRTModule(compile(module, example, dynamic_shapes=dynamic, precision=precision))


def tensorrt_converter(
    method: str, is_real: bool = True, enabled: bool = True, imports: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What stands for a function in modules that are compiled, for a user's own op.

        @tensorrt_converter("mylib.scaled_swish")
        def convert(x, beta):
            return x * burnish.user_ops.ops.sigmoid(x * beta)

    Where torch2trt hands over a context with a TensorRT network, this takes the call's arguments, with values of
    Burnish's IR for tensors, and returns values: see `burnish.user_ops.converter`. `is_real` and `imports` mean
    nothing here.
    """
    return converter(method, enabled=enabled)


def _dynamic_shapes(args: tuple[Any, ...], low: Shapes | None, high: Shapes | None) -> tuple[dict[int, Any], ...] | None:
    """torch.export's description of dimensions that range; it finds out which of them are always equal."""
    if low is None and high is None:
        return None
    if low is None or high is None or not len(low) == len(high) == len(args):
        raise UsageError(f"min_shapes and max_shapes go together, with one shape for each of the {len(args)} inputs")
    return tuple(
        {axis: torch.export.Dim.DYNAMIC(min=a, max=b) for axis, (a, b) in enumerate(zip(least, most, strict=True)) if a != b}
        for least, most in zip(low, high, strict=True)
    )


def _traceable(shape: Sequence[int], axes: Mapping[int, Any]) -> tuple[int, ...]:
    """`shape` with at least 2 along the axes that range: torch.export takes a size of 0 or 1 for a fixed one."""
    return tuple(max(size, 2) if axis in axes else size for axis, size in enumerate(shape))


def _sized(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """A tensor like `tensor`, of another shape: what is in it does not matter."""
    return tensor if tuple(getattr(tensor, "shape", ())) == tuple(shape) else tensor.new_zeros(tuple(shape))
