"""ONNX files as PyTorch modules, by PyPI's onnx2torch: PyTorch's side of what Burnish reads directly."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import helper, shape_inference
from torch import Tensor, nn


def with_shape(path: Path, shape: tuple[int, ...]) -> onnx.ModelProto:
    """The file's model with that shape of its one input in place of dynamic dimensions, and with the shapes that follow."""
    model = onnx.load(path)
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return shape_inference.infer_shapes(model)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """What ONNX Runtime's basic optimisations leave of the model."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = f"{folder}/folded.onnx"
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return shape_inference.infer_shapes(onnx.load(options.optimized_model_filepath))


def spelled_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy for onnx2torch: what follows from the shapes is folded (ONNX Runtime's basic passes), and SAME_UPPER windows say their pads."""
    copy = folded(model)
    values = [*copy.graph.value_info, *copy.graph.input, *copy.graph.output]
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in values}
    for node in copy.graph.node:
        attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if attributes.get("auto_pad") != b"SAME_UPPER":
            continue
        kernel = attributes["kernel_shape"]
        strides, dilations = attributes.get("strides", [1] * len(kernel)), attributes.get("dilations", [1] * len(kernel))
        windows = zip(shapes[node.input[0]][2:], kernel, strides, dilations, strict=True)
        total = [max((-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0) for size, k, stride, dilation in windows]
        kept = [a for a in node.attribute if a.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", [t // 2 for t in total] + [t - t // 2 for t in total])])
    return copy


def reshaped(tensor: Tensor, sizes: list[int]) -> Tensor:
    """ONNX's Reshape: 0 keeps that dimension."""
    return tensor.reshape([tensor.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def sliced(tensor: Tensor, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> Tensor:
    """ONNX's Slice with positive steps."""
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        tensor = tensor[(slice(None),) * (axis % tensor.dim()) + (slice(start, end, step),)]
    return tensor


def as_module(model: onnx.ModelProto) -> nn.Module:
    """The model as onnx2torch converts it; reshapes and slices by constant tensors, at which tracing fails, have their numbers instead."""
    import onnx2torch
    from onnx2torch.node_converters.reshape import OnnxReshape
    from onnx2torch.node_converters.slice import OnnxSlice

    module = onnx2torch.convert(spelled_out(model))
    parts, by_numbers = dict(module.named_modules()), {OnnxReshape: reshaped, OnnxSlice: sliced}
    for node in module.graph.nodes:
        function = by_numbers.get(type(parts.get(node.target))) if node.op == "call_module" else None
        if function and all(each.op == "get_attr" for each in node.args[1:]):
            numbers = [functools.reduce(getattr, each.target.split("."), module).tolist() for each in node.args[1:]]
            node.op, node.target, node.args = "call_function", function, (node.args[0], *numbers)
    module.recompile()
    return module.eval()


def as_one_graph(module: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """The module's ATen operators for these inputs: converted modules read shapes from tensors, at which Dynamo breaks the graph."""
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(module)(*inputs)


def smooth_input(shape: tuple[int, ...]) -> Tensor:
    """A picture [N,3,H,W]."""
    import sound_weights

    return sound_weights.smooth_images(shape[0], shape[2], shape[3], seed=1)
