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
from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import torch

from ._burnish import UsageError
from .build import compile
from .module import engine_bytes, engine_from_bytes
from .torch_module import TorchModule, loaded_module

__all__ = ["TRTModule", "torch2trt"]

#: Arguments of torch2trt's that mean nothing here, with their defaults.
IGNORED: dict[str, Any] = {
    "log_level": None,
    "max_batch_size": None,
    "max_workspace_size": 1 << 25,
    "strict_type_constraints": False,
    "keep_network": True,
    "default_device_type": None,
    "dla_core": 0,
    "gpu_fallback": True,
    "device_types": {},
    "avg_timing_iterations": None,
    "use_onnx": False,
    "onnx_opset": None,
}

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
    fp16_mode: bool = False,
    int8_mode: bool = False,
    int8_calib_dataset: Any = None,
    int8_calib_algorithm: Any = None,
    min_shapes: Shapes | None = None,
    opt_shapes: Shapes | None = None,
    max_shapes: Shapes | None = None,
    **ignored: Any,
) -> TRTModule:
    """Compile `module` for where it lies, as torch2trt does.

    inputs        what it is called with: a tensor or a list of arguments, whose shapes the engine is made for
    fp16_mode     float16 may be used
    min_shapes, opt_shapes, max_shapes
                  one shape for each tensor of `inputs`, for those whose dimensions range

    Raises UsageError for arguments that torch2trt does not know either, and for int8_mode, which needs calibration.
    """
    if int8_mode or int8_calib_dataset is not None or int8_calib_algorithm is not None:
        raise UsageError("int8_mode: there is no calibration yet; use fp16_mode, or an ONNX model that is quantised already")
    _warn_of(ignored, input_names, output_names)
    args = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    precision = ["fp16"] if fp16_mode else None
    dynamic = _dynamic_shapes(args, min_shapes, max_shapes)
    example = args if opt_shapes is None else tuple(_sized(arg, shape) for arg, shape in zip(args, opt_shapes, strict=True))
    return TRTModule(compile(module, example, dynamic_shapes=dynamic, precision=precision))


def _warn_of(ignored: Mapping[str, Any], input_names: Any, output_names: Any) -> None:
    unknown = [name for name in ignored if name not in IGNORED]
    if unknown:
        raise UsageError(f"torch2trt has no argument '{unknown[0]}'")
    named = {"input_names": input_names, "output_names": output_names}
    idle = [name for name, value in ignored.items() if value != IGNORED[name]] + [name for name, value in named.items() if value is not None]
    if idle:
        warnings.warn(f"torch2trt: {', '.join(idle)} mean nothing to Burnish, and are ignored", stacklevel=3)


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


def _sized(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """A tensor like `tensor`, of another shape: what is in it does not matter."""
    return tensor if tuple(tensor.shape) == tuple(shape) else tensor.new_zeros(tuple(shape))
